"""Files of products: what is wrong with them, and how far they are written. Values and rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from common.errors import Malformed, NotFound, TooLarge

# 350 bytes a row; the whole product list has 92,331 rows and 9 MiB.
FILE_BYTES_MAX: Final = 32 * 1024 * 1024
FILE_ROWS_MAX: Final = 200_000
# Written in one transaction: some 200 ms, so that nobody waits for its locks.
CHUNK_ROWS: Final = 1_000
# Whoever has more to mend begins with these; all are counted.
ERRORS_KEPT_MAX: Final = 10_000
REQUIRED_COLUMNS: Final = ("sku", "name", "department", "category", "price_minor")
OPTIONAL_COLUMNS: Final = ("currency", "product_type", "brand", "size", "product_group_id")


class ImportNotFound(NotFound):
    title = "No such import"


class MalformedImport(Malformed):
    title = "The file cannot be read as products"


class TooManyRows(TooLarge):
    title = "The file has more rows than are taken at once"


class ImportState(StrEnum):
    ACCEPTED = "accepted"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Row:
    """One product of a file. number: from 1 on, without the header.

    fields: as read, unchecked; None with the fault when not even that.
    """

    number: int
    fields: dict[str, Any] | None
    fault: str | None = None
    pointer: str = ""


@dataclass(frozen=True, slots=True)
class RowError:
    """pointer: into the row as a JSON object (RFC 6901); empty for the whole of it."""

    row: int
    sku: str | None
    pointer: str
    detail: str


@dataclass(frozen=True, slots=True)
class Chunk:
    import_id: str
    first_row: int
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Import:
    """How far an import is. rows_done = created + changed + unchanged + rejected."""

    id: str
    state: ImportState
    rows_total: int
    created: int
    changed: int
    unchanged: int
    rejected: int
    created_at: datetime
    finished_at: datetime | None

    @property
    def rows_done(self) -> int:
        return self.created + self.changed + self.unchanged + self.rejected


def mark_repeated(rows: Sequence[Row]) -> list[Row]:
    """*rows* with a fault for each whose SKU an earlier row has: which is right, nobody knows."""
    first: dict[str, int] = {}
    marked = []
    for row in rows:
        sku = row.fields.get("sku") if row.fields else None
        if isinstance(sku, str) and row.number != (earlier := first.setdefault(sku, row.number)):
            fault = f"row {earlier} has the same SKU"
            marked.append(Row(row.number, row.fields, fault, "/sku"))
        else:
            marked.append(row)
    return marked


def chunks(rows: Sequence[Row]) -> list[Sequence[Row]]:
    return [rows[start : start + CHUNK_ROWS] for start in range(0, len(rows), CHUNK_ROWS)]
