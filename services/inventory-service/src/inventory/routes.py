"""HTTP in, HTTP out. Parses, opens the transaction, calls one use case, renders."""

from typing import Annotated
from uuid import UUID

from common import auth
from common.auth import Role
from common.db import Database
from flask import Blueprint, request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from inventory import domain, use_cases
from inventory.domain import Line, Reservation, Stock

Sku = Annotated[str, StringConstraints(pattern=f"^{domain.SKU_PATTERN}$")]
# PostgreSQL takes no NUL.
Note = Annotated[str, StringConstraints(max_length=domain.NOTE_CHARS_MAX, pattern=r"^[^\x00]*$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ReceivedLine(_Body):
    sku: Sku
    quantity: int = Field(strict=True, ge=1, le=domain.PIECES_MAX)


class Receipt(_Body):
    lines: list[ReceivedLine] = Field(min_length=1, max_length=domain.RECEIPT_LINES_MAX)
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
    note: Annotated[Note, Field(min_length=1)]  # Nobody should have to guess why pieces vanished.


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


def stock(db: Database) -> Blueprint:
    """What is on the shelf. Anybody may look; staff may change it."""
    blueprint = Blueprint("stock", __name__)

    @blueprint.get("/stock/<sku>")
    def read_stock(sku: str) -> dict[str, object]:
        with db.transaction() as tx:
            found = use_cases.read_stock(tx, sku)
        return _stock_json(found)

    @blueprint.post("/stock/queries")
    def query_stock() -> dict[str, object]:
        query = StockQuery.model_validate_json(request.get_data())
        with db.transaction() as tx:
            found, unknown = use_cases.query_stock(tx, query.skus)
        return {"stock": [_stock_json(each) for each in found], "unknown": unknown}

    @blueprint.post("/stock/receipts")
    @auth.requires(Role.STAFF)
    def receive_stock() -> tuple[dict[str, object], int]:
        receipt = Receipt.model_validate_json(request.get_data())
        lines = [Line(line.sku, line.quantity) for line in receipt.lines]
        with db.transaction() as tx:
            left = use_cases.receive_stock(tx, lines, receipt.note)
        return {"stock": [_stock_json(each) for each in left]}, 201

    @blueprint.post("/stock/adjustments")
    @auth.requires(Role.STAFF)
    def adjust_stock() -> tuple[dict[str, object], int]:
        body = Adjustment.model_validate_json(request.get_data())
        with db.transaction() as tx:
            left = use_cases.adjust_stock(tx, body.sku, body.delta, body.note)
        return _stock_json(left), 201

    return blueprint


def reservations(db: Database) -> Blueprint:
    """What is promised to whom, for those who run the shop."""
    blueprint = Blueprint("reservations", __name__)

    @blueprint.get("/reservations/<uuid:order_id>")
    @auth.requires(Role.STAFF, Role.SERVICE)
    def read_reservation(order_id: UUID) -> dict[str, object]:
        with db.transaction() as tx:
            reservation, lines = use_cases.read_reservation(tx, str(order_id))
        return _reservation_json(reservation, lines)

    return blueprint


def _stock_json(found: Stock) -> dict[str, object]:
    return {
        "sku": found.sku,
        "on_hand": found.on_hand,
        "reserved": found.reserved,
        "available": found.available,
    }


def _reservation_json(reservation: Reservation, lines: list[Line]) -> dict[str, object]:
    return {
        "order_id": reservation.order_id,
        "state": reservation.state,
        "lines": [{"sku": line.sku, "quantity": line.quantity} for line in lines],
        "missing": [
            {"sku": each.sku, "requested": each.requested, "available": each.available}
            for each in reservation.missing
        ],
    }
