"""What a basket, a line and a product of the journey are. It reads no file and derives nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class JourneyLine:
    """One product in a basket. `quantity`: 1 to 100."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Basket:
    """One trip to the till. `at`: aware, UTC. `lines`: 1 to 200, unique by sku, in source order."""

    id: str
    household_id: str
    at: datetime
    lines: tuple[JourneyLine, ...]


@dataclass(frozen=True, slots=True)
class Product:
    """What a basket may hold. `price_minor`: a derived shelf price, at least 1 (docs/data.md)."""

    sku: str
    name: str
    department: str
    category: str
    price_minor: int
    currency: str = "USD"


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time, `start` included and `end` not; both aware."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Journey:
    """Baskets ordered by time, every product they hold, and how much was left out, by reason."""

    products: dict[str, Product]
    baskets: tuple[Basket, ...]
    left_out: Mapping[str, int]
