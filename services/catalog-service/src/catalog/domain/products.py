"""Products, prices, variants and what may be written: values and rules."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from common.errors import NotFound, PreconditionFailed

# The shop sells in one currency (ISO 4217).
CURRENCY: Final = "USD"
# The retailer's own article number; safe in a path, a log line and a file name.
SKU_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"

_SKU = re.compile(SKU_PATTERN)


class ProductNotFound(NotFound):
    title = "No such product"


class ProductExists(PreconditionFailed):
    title = "There is a product with that SKU already"


class Availability(StrEnum):
    """schema.org/ItemAvailability, as far as a shopper can tell it apart."""

    IN_STOCK = "InStock"
    LIMITED = "LimitedAvailability"
    OUT_OF_STOCK = "OutOfStock"
    DISCONTINUED = "Discontinued"


class Change(StrEnum):
    """What a write did to a product."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Listing:
    """What staff decide about a product. Names of members as in schema.org/Product.

    product_type: the finest of department > category > type. product_group_id: the same for all
    variants of one thing, which differ in size (schema.org/ProductGroup).
    """

    sku: str
    name: str
    department: str
    category: str
    price_minor: int  # of one piece, in minor units of `currency`
    currency: str = CURRENCY
    product_type: str | None = None
    brand: str | None = None
    size: str | None = None
    product_group_id: str | None = None


@dataclass(frozen=True, slots=True)
class Product:
    """A listing and what became of it.

    version: 1 at first, counts changes of the listing. revision: counts changes of anything that
    a reader sees, the badge too; only copies are compared by it.
    """

    listing: Listing
    availability: Availability
    version: int
    revision: int
    created_at: datetime
    updated_at: datetime

    @property
    def is_sold(self) -> bool:
        return self.availability is not Availability.DISCONTINUED


@dataclass(frozen=True, slots=True)
class PriceChange:
    """position: grows with every price of any product; the latest has the greatest."""

    position: int
    price_minor: int
    currency: str
    valid_from: datetime


@dataclass(frozen=True, slots=True)
class Node:
    """A department, category or type: how many products are in it, and what it divides into."""

    name: str
    products: int
    children: Sequence["Node"] = ()


@dataclass(frozen=True, slots=True)
class Price:
    sku: str
    name: str
    unit_price_minor: int


@dataclass(frozen=True, slots=True)
class Quote:
    """Prices of the SKUs asked for, in the order asked; `unknown` are not sold here."""

    currency: str
    prices: Sequence[Price]
    unknown: Sequence[str]


@dataclass(frozen=True, slots=True)
class Counts:
    """What a bulk write did, by number of products."""

    created: int
    changed: int
    unchanged: int


def is_sku(text: str) -> bool:
    return _SKU.fullmatch(text) is not None


def availability_when_low(available: int) -> Availability:
    """The badge of a product with *available* pieces left, which inventory calls low."""
    return Availability.LIMITED if available > 0 else Availability.OUT_OF_STOCK


def quote(skus: Sequence[str], found: Mapping[str, Product]) -> Quote:
    sold = {sku: product for sku, product in found.items() if product.is_sold}
    return Quote(
        currency=CURRENCY,
        prices=[
            Price(sku, sold[sku].listing.name, sold[sku].listing.price_minor)
            for sku in skus
            if sku in sold
        ],
        unknown=[sku for sku in skus if sku not in sold],
    )


def tree(rows: Sequence[tuple[str, str, str | None, int]]) -> list[Node]:
    """rows: department, category, type, products; sorted. Products without a type have no node."""
    found: dict[str, dict[str, dict[str | None, int]]] = {}
    for department, category, product_type, products in rows:
        found.setdefault(department, {}).setdefault(category, {})[product_type] = products
    return [
        Node(
            department,
            sum(sum(types.values()) for types in categories.values()),
            [
                Node(
                    category,
                    sum(types.values()),
                    [Node(name, products) for name, products in types.items() if name],
                )
                for category, types in categories.items()
            ],
        )
        for department, categories in found.items()
    ]
