"""What one scenario sells: products of its own, in a department of its own. Decides nothing."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Self

from harness.shopper.staff import Staff

CENTS = 100


@dataclass(frozen=True)
class Shelf:
    """skus: by what people call the product: its name, and its size if it comes in several."""

    staff: Staff
    department: str = field(default_factory=lambda: f"Department {uuid.uuid4().hex[:8]}")
    skus: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, staff: Staff, table: Sequence[Sequence[str]]) -> Self:
        """table: a header of ``name``, ``price`` and ``count``, if wanted ``category``, ``size``;
        then one product a row. Raises AssertionError if the shop refuses one.
        """
        shelf = cls(staff)
        rows = list(rows_of(table))
        staff.list_products([shelf._listing(row) for row in rows]).expect()
        for name, row in zip(shelf.skus, rows, strict=True):
            if int(row["count"]):
                staff.receive(shelf.skus[name], int(row["count"])).expect()
        return shelf

    def __getitem__(self, name: str) -> str:
        return self.skus[name]

    def names(self, products: Sequence[Mapping[str, Any]]) -> list[str]:
        """What people call those of *products* that stand on this shelf, in their order."""
        called = {sku: name for name, sku in self.skus.items()}
        return [called[product["sku"]] for product in products if product["sku"] in called]

    def _listing(self, row: Mapping[str, str]) -> dict[str, Any]:
        name, size = row["name"], row.get("size", "")
        called = f"{name} {size}".strip()
        self.skus[called] = f"{called.upper().replace(' ', '-')}-{uuid.uuid4().hex[:8].upper()}"
        listing: dict[str, Any] = {
            "sku": self.skus[called],
            "name": name,
            "department": self.department,
            "category": row.get("category", "Scenario"),
            "price_minor": minor(row["price"]),
        }
        group = {"size": size, "product_group_id": self._group(name)} if size else {}
        return listing | group

    def _group(self, name: str) -> str:
        return f"GROUP-{name.upper()}-{self.department.split()[-1]}".replace(" ", "-")


def minor(amount: str | Decimal) -> int:
    """*amount* as people write it, in minor units."""
    return int(Decimal(amount) * CENTS)


def rows_of(table: Sequence[Sequence[str]]) -> Iterator[Mapping[str, str]]:
    """Each row of *table* by the names in its first."""
    return (dict(zip(table[0], row, strict=True)) for row in table[1:])
