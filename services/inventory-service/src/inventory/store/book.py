"""Reading the book of movements, and holding the balances against it."""

from sqlalchemy import Connection, func, select, text

from inventory.domain import Audit, Difference, Movement, Reason
from inventory.store.tables import movements, returns

# The whole book in one statement, so in one snapshot. Three million movements take about two
# seconds; slower than this, the audit belongs on a replica. Within `db.TRANSACTION_TIMEOUT_MS`.
_AUDIT_TIMEOUT = text("SET LOCAL statement_timeout = '9s'")
_AUDIT = text("""
WITH held AS (
  SELECT line.sku, sum(line.quantity)::bigint AS held
    FROM reservations JOIN reservation_lines AS line USING (order_id)
   WHERE reservations.state = 'held' GROUP BY line.sku
), compared AS (
  SELECT sku, stock.on_hand AS stock_on_hand, stock.reserved AS stock_reserved,
         coalesce(book.on_hand, 0) AS book_on_hand, coalesce(book.reserved, 0) AS book_reserved,
         coalesce(held.held, 0) AS held
    FROM stock FULL JOIN balances_from_movements AS book USING (sku) FULL JOIN held USING (sku)
), different AS (
  SELECT * FROM compared
   WHERE (stock_on_hand, stock_reserved, stock_reserved)
         IS DISTINCT FROM (book_on_hand, book_reserved, held)
)
SELECT totals.skus, totals.movements, totals.different, shown.*
  FROM (SELECT (SELECT count(*) FROM stock) AS skus, (SELECT count(*) FROM movements) AS movements,
               (SELECT count(*) FROM different) AS different) AS totals
  LEFT JOIN LATERAL (SELECT * FROM different ORDER BY sku COLLATE "C" LIMIT :limit) AS shown ON true
""")


def list_movements(tx: Connection, sku: str, before: int | None, limit: int) -> list[Movement]:
    """At most *limit* of the SKU, the latest first, from before the movement *before*."""
    order_id = func.coalesce(movements.c.order_id, returns.c.order_id).label("of_order")
    statement = (
        select(movements, order_id)
        .outerjoin(returns, returns.c.return_id == movements.c.return_id)
        .where(movements.c.sku == sku)
        .order_by(movements.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        statement = statement.where(movements.c.id < before)
    return [
        Movement(
            id=row.id,
            sku=row.sku,
            occurred_at=row.occurred_at,
            reason=Reason(row.reason),
            delta_on_hand=row.delta_on_hand,
            delta_reserved=row.delta_reserved,
            order_id=row.of_order,
            return_id=row.return_id,
            actor=row.actor,
            note=row.note,
        )
        for row in tx.execute(statement)
    ]


def audit(tx: Connection, limit: int) -> Audit:
    """Every balance compared with the book; the first *limit* differences."""
    tx.execute(_AUDIT_TIMEOUT)
    rows = tx.execute(_AUDIT, {"limit": limit}).all()
    differences = tuple(
        Difference(
            row.sku,
            row.stock_on_hand,
            row.stock_reserved,
            row.book_on_hand,
            row.book_reserved,
            row.held,
        )
        for row in rows
        if row.sku is not None
    )
    return Audit(rows[0].skus, rows[0].movements, rows[0].different, differences)
