"""What came back by which return; each once."""

from sqlalchemy import Connection, func, insert, select

from inventory.domain import Line
from inventory.store.tables import movements, returns


def order_of_return(tx: Connection, return_id: str) -> str | None:
    """The order whose return was restocked under this id; None if none was."""
    return tx.scalar(select(returns.c.order_id).where(returns.c.return_id == return_id))


def returned_lines(tx: Connection, order_id: str) -> list[Line]:
    """What came back of the order by now, unique by SKU."""
    rows = tx.execute(
        select(movements.c.sku, func.sum(movements.c.delta_on_hand).label("quantity"))
        .join(returns, returns.c.return_id == movements.c.return_id)
        .where(returns.c.order_id == order_id)
        .group_by(movements.c.sku)
    )
    return [Line(row.sku, int(row.quantity)) for row in rows]


def add_return(tx: Connection, return_id: str, order_id: str, cause: str) -> None:
    tx.execute(insert(returns).values(return_id=return_id, order_id=order_id, cause_event_id=cause))
