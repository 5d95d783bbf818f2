"""What may be asked, and how it is read."""

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from werkzeug.routing import BaseConverter

from inventory import domain
from inventory.domain import Level, Reason

Sku = Annotated[str, StringConstraints(pattern=f"^{domain.SKU_PATTERN}$")]
Note = Annotated[str, StringConstraints(max_length=domain.NOTE_CHARS_MAX)]
# What stands where a SKU stands in a path: no SKU of that name can be read there.
RESERVED_SKUS = ("queries", "receipts", "adjustments", "audit")


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ReceivedLine(_Body):
    sku: Sku
    quantity: int = Field(strict=True, ge=1, le=domain.PIECES_MAX)


class Receipt(_Body):
    lines: list[ReceivedLine] = Field(min_length=1, max_length=domain.RECEIPT_LINES_MAX)
    reason: Literal[Reason.RECEIPT, Reason.RETURN] = Reason.RECEIPT
    note: Note = ""


def _not_zero(delta: int) -> int:
    if delta == 0:
        raise ValueError("an adjustment by nothing")
    return delta


class Adjustment(_Body):
    sku: Sku
    delta: Annotated[
        int,
        Field(strict=True, ge=-domain.PIECES_MAX, le=domain.PIECES_MAX),
        AfterValidator(_not_zero),
    ]
    reason: Literal[
        Reason.ADJUSTMENT, Reason.CYCLE_COUNT, Reason.DAMAGE, Reason.LOSS, Reason.FOUND
    ] = Reason.ADJUSTMENT
    note: Annotated[Note, Field(min_length=1)]  # Nobody should have to guess why pieces vanished.

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if not domain.is_possible(self.reason, self.delta):
            raise ValueError(f"{self.reason} does not change a stock in that direction")
        return self


def _unique(skus: list[str]) -> list[str]:
    if len(set(skus)) != len(skus):
        raise ValueError("each SKU only once")
    return skus


class StockQuery(_Body):
    skus: Annotated[
        list[Sku],
        Field(min_length=1, max_length=domain.QUERY_SKUS_MAX),
        AfterValidator(_unique),
    ]


class PageQuery(_Body):
    """What a list may be asked; `common.paging` reads the two."""

    limit: str | None = None
    cursor: str | None = None


class StockPageQuery(PageQuery):
    level: Level | None = None


class SkuConverter(BaseConverter):
    """A SKU in a path, known or not, but never the name of something else at the same place."""

    regex = rf"(?!(?:{'|'.join(RESERVED_SKUS)})\Z)[^/]+"
