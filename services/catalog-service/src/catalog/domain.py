"""Products, prices and availability: values and rules. Knows no SQL, no HTTP, no clock."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from common.errors import NotFound

# The shop sells in one currency (ISO 4217).
CURRENCY: Final = "USD"
# The retailer's own article number; safe in a path, a log line and a file name.
SKU_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"

_SKU = re.compile(SKU_PATTERN)


class ProductNotFound(NotFound):
    title = "No such product"


class Availability(StrEnum):
    """schema.org/ItemAvailability, as far as a shopper can tell it apart."""

    IN_STOCK = "InStock"
    LIMITED = "LimitedAvailability"
    OUT_OF_STOCK = "OutOfStock"


class Change(StrEnum):
    """What a write did to a product."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Listing:
    """What staff decide about a product."""

    sku: str
    name: str
    department: str
    category: str
    price_minor: int  # of one piece, in minor units of `currency`
    currency: str = CURRENCY


@dataclass(frozen=True, slots=True)
class Product:
    """A listing and what became of it. version: 1 at first, counts changes of the listing."""

    listing: Listing
    availability: Availability
    version: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Search:
    """words: each must occur in the name, in any case. after: the last SKU already seen."""

    words: tuple[str, ...]
    department: str | None
    after: str
    limit: int


@dataclass(frozen=True, slots=True)
class Department:
    """products: how many there are of it."""

    name: str
    products: int


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
class ImportCounts:
    """What an import did, by number of products."""

    created: int
    changed: int
    unchanged: int


def is_sku(text: str) -> bool:
    return _SKU.fullmatch(text) is not None


def availability_when_low(available: int) -> Availability:
    """The badge of a product with *available* pieces left, which inventory calls low."""
    return Availability.LIMITED if available > 0 else Availability.OUT_OF_STOCK


def quote(skus: Sequence[str], found: dict[str, Price]) -> Quote:
    return Quote(
        currency=CURRENCY,
        prices=[found[sku] for sku in skus if sku in found],
        unknown=[sku for sku in skus if sku not in found],
    )


def cursor_after(sku: str) -> str:
    """An opaque place in the list of products, just after *sku*."""
    return base64.urlsafe_b64encode(sku.encode()).rstrip(b"=").decode()


def sku_before(cursor: str) -> str:
    """The SKU that `cursor_after` was given. Raises ValueError if it never was."""
    try:
        padding = "=" * (-len(cursor) % 4)
        sku = base64.b64decode(cursor + padding, altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise ValueError("not a cursor of ours") from error
    if not is_sku(sku):
        raise ValueError("not a cursor of ours")
    return sku
