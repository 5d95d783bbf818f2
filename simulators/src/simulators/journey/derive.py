"""Derives products and baskets from the source's two tables. It opens no file and rolls no dice.

The tables are pandas frames, passed in: pandas is an optional extra without types, so this module
does not import it. Every rule is explained in docs/data.md.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TypeAlias

from simulators.journey.domain import Basket, Journey, JourneyLine, Product, Window
from simulators.journey.names import NOT_RECORDED, department_name, product_name, title

Frame: TypeAlias = Any
Column: TypeAlias = Any

# The largest count on a line is 90, but for 144 ears of corn once: beyond this it is a bulk order
# or a measure, such as the thousands that gasoline has, and no shopper's click in a web shop.
QUANTITY_MAX = 100
# The longest basket has 161 lines; the limit is here so that no reader meets an endless one.
LINES_MAX = 200

WITHOUT_QUANTITY = "lines_without_quantity"
WITHOUT_VALUE = "lines_without_value"
OF_FUEL = "lines_of_fuel"
OF_COUPONS_AND_MISC = "lines_of_coupons_and_misc"
OVER_QUANTITY_MAX = f"lines_over_{QUANTITY_MAX}_units"
BEYOND_LINES_MAX = f"lines_beyond_{LINES_MAX}_in_a_basket"
BASKETS_WITHOUT_LINES = "baskets_without_lines"
PRODUCTS_NOT_BOUGHT = "products_not_bought"


class JourneyUnexpected(Exception):
    """The source is not shaped as the rules suppose; the message says where."""


def derive(transactions: Frame, products: Frame, window: Window | None = None) -> Journey:
    """The journey of these tables, or of the part of it that lies in `window`.

    Prices come from all of `transactions` either way, so a product costs the same in every window.
    Raises JourneyUnexpected when a basket has two households or two times.
    """
    _require_one_shopper_and_time(transactions)
    broken, unbroken = _judged(transactions, products)
    prices = _prices(transactions[unbroken])

    inside = _inside(transactions, window)
    left_out = {reason: int((inside & lines).sum()) for reason, lines in broken.items()}
    merged = _merged(transactions[inside & unbroken])
    kept = _within_limits(merged, left_out)

    baskets = _baskets(kept)
    left_out[BASKETS_WITHOUT_LINES] = transactions[inside].basket_id.nunique() - len(baskets)
    bought = _products(products, prices, set(kept.product_id))
    left_out[PRODUCTS_NOT_BOUGHT] = int((~products.product_id.isin(kept.product_id)).sum())
    return Journey(products=bought, baskets=baskets, left_out=left_out)


def _require_one_shopper_and_time(transactions: Frame) -> None:
    columns = ["basket_id", "household_id", "transaction_timestamp"]
    distinct = transactions[columns].drop_duplicates()
    twice = distinct.basket_id[distinct.basket_id.duplicated()]
    if len(twice):
        raise JourneyUnexpected(f"basket {twice.iloc[0]} has two households or two times")


def _without_quantity(transactions: Frame, _products: Frame) -> Column:
    return transactions.quantity <= 0


def _without_value(transactions: Frame, _products: Frame) -> Column:
    return transactions.sales_value <= 0


def _of_fuel(transactions: Frame, products: Frame) -> Column:
    gasoline = products.product_type.fillna("").str.startswith("GASOLINE")
    fuel = products.product_id[gasoline | (products.department == "FUEL")]
    return transactions.product_id.isin(fuel)


def _of_coupons_and_misc(transactions: Frame, products: Frame) -> Column:
    misc = products.product_category.fillna("") == "COUPON/MISC ITEMS"
    goods_they_are_not = products.product_id[misc | (products.department == "COUPON")]
    return transactions.product_id.isin(goods_they_are_not)


# A line is counted under the first rule that it breaks.
_RULES = {
    WITHOUT_QUANTITY: _without_quantity,
    WITHOUT_VALUE: _without_value,
    OF_FUEL: _of_fuel,
    OF_COUPONS_AND_MISC: _of_coupons_and_misc,
}


def _judged(transactions: Frame, products: Frame) -> tuple[dict[str, Column], Column]:
    """Which lines are left out for which reason, and which for none."""
    broken: dict[str, Column] = {}
    unbroken = transactions.quantity.notna()
    for reason, breaks in _RULES.items():
        broken[reason] = unbroken & breaks(transactions, products)
        unbroken = unbroken & ~broken[reason]
    return broken, unbroken


def _prices(lines: Frame) -> Column:
    """Shelf price in cents by product: the median over its lines, half a cent up, at least one."""
    dollars = lines.sales_value + lines.retail_disc + lines.coupon_match_disc
    each = (dollars * 100).round() / lines.quantity
    median = each.groupby(lines.product_id).median()
    return (median + 0.5).astype("int64").clip(lower=1)


def _inside(transactions: Frame, window: Window | None) -> Column:
    at = transactions.transaction_timestamp.dt.tz_localize("UTC")
    if window is None:
        return at.notna()
    return (at >= window.start) & (at < window.end)


def _merged(lines: Frame) -> Frame:
    """One line a product and basket, ordered by time and otherwise as the source has them."""
    grouped = lines.groupby(["basket_id", "product_id"], sort=False, as_index=False)
    merged = grouped.agg(
        household_id=("household_id", "first"),
        at=("transaction_timestamp", "first"),
        quantity=("quantity", "sum"),
    )
    return merged.sort_values("at", kind="stable")


def _within_limits(lines: Frame, left_out: dict[str, int]) -> Frame:
    """The lines that keep both limits; writes into `left_out` how many do not."""
    countable = lines[lines.quantity <= QUANTITY_MAX]
    left_out[OVER_QUANTITY_MAX] = len(lines) - len(countable)

    kept = countable[countable.groupby("basket_id").cumcount() < LINES_MAX]
    left_out[BEYOND_LINES_MAX] = len(countable) - len(kept)
    return kept


def _baskets(lines: Frame) -> tuple[Basket, ...]:
    skus = {product_id: str(product_id) for product_id in lines.product_id.unique().tolist()}
    columns = (lines.basket_id.tolist(), lines.product_id.tolist(), lines.quantity.tolist())
    lines_of: dict[int, list[JourneyLine]] = {}
    for basket_id, product_id, quantity in zip(*columns, strict=True):
        lines_of.setdefault(basket_id, []).append(JourneyLine(skus[product_id], quantity))

    return tuple(
        Basket(str(basket_id), str(household_id), at, tuple(lines_of[basket_id]))
        for basket_id, household_id, at in _heads(lines.drop_duplicates("basket_id"))
    )


def _heads(firsts: Frame) -> Iterator[tuple[int, int, datetime]]:
    """Id, household and time of each basket. The source's clock has whole seconds."""
    seconds = firsts["at"].astype("datetime64[s]").astype("int64").tolist()
    instants = [datetime.fromtimestamp(second, UTC) for second in seconds]
    return zip(firsts.basket_id.tolist(), firsts.household_id.tolist(), instants, strict=True)


def _products(products: Frame, prices: Column, bought: set[int]) -> dict[str, Product]:
    """What was bought, ordered by number; a number that the table lacks still has a price."""
    columns = ["product_type", "product_category", "package_size", "department"]
    table = products.set_index("product_id")[columns].reindex(sorted(bought)).fillna("")
    priced = prices.loc[table.index].tolist()
    rows = zip(table.index.tolist(), table.itertuples(index=False), priced, strict=True)
    return {str(number): _product(str(number), row, price) for number, row, price in rows}


def _product(sku: str, row: Any, price_minor: int) -> Product:
    return Product(
        sku=sku,
        name=product_name(
            sku,
            kind=row.product_type,
            category=row.product_category,
            package_size=row.package_size,
        ),
        department=department_name(row.department),
        category=title(row.product_category) or NOT_RECORDED,
        price_minor=price_minor,
    )
