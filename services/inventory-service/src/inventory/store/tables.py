"""The tables of the inventory, and how their rows become values of the domain."""

from collections.abc import Iterable, Sequence
from typing import Any

from common.events import metadata
from sqlalchemy import BigInteger, Column, DateTime, Integer, Row, Table, Text, func
from sqlalchemy.dialects.postgresql import JSONB, UUID

from inventory.domain import Line, Missing, Payable, Reservation, ReservationState, Stock

stock = Table(
    "stock",
    metadata,
    Column("sku", Text, primary_key=True),
    Column("on_hand", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
)
reservations = Table(
    "reservations",
    metadata,
    Column("order_id", UUID(as_uuid=False), primary_key=True),
    Column("state", Text, nullable=False),
    Column("context", JSONB(none_as_null=True)),
    Column("missing", JSONB(none_as_null=True)),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    # When it was last asked whether the order still wants what is held; at first, created_at.
    Column("asked_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
reservation_lines = Table(
    "reservation_lines",
    metadata,
    Column("order_id", UUID(as_uuid=False), primary_key=True),
    Column("sku", Text, primary_key=True),
    Column("quantity", Integer, nullable=False),
)
returns = Table(
    "returns",
    metadata,
    Column("return_id", UUID(as_uuid=False), primary_key=True),
    Column("order_id", UUID(as_uuid=False), nullable=False),
    Column("cause_event_id", UUID(as_uuid=False), nullable=False),
    Column("restocked_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
movements = Table(
    "movements",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("sku", Text, nullable=False),
    Column("delta_on_hand", BigInteger, nullable=False),
    Column("delta_reserved", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("order_id", UUID(as_uuid=False)),
    Column("cause_event_id", UUID(as_uuid=False)),
    Column("return_id", UUID(as_uuid=False)),
    Column("actor", Text),
    Column("note", Text),
    Column("occurred_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)


def arrays(lines: Sequence[Line]) -> dict[str, object]:
    """One array is one parameter, however many lines there are."""
    return {
        "skus": [line.sku for line in lines],
        "quantities": [line.quantity for line in lines],
    }


def stocks(rows: Iterable[Row[Any]]) -> list[Stock]:
    return [Stock(row.sku, row.on_hand, row.reserved) for row in rows]


def reservation(row: Row[Any]) -> Reservation:
    return Reservation(
        row.order_id,
        ReservationState(row.state),
        Payable(**row.context) if row.context else None,
        tuple(Missing(**each) for each in row.missing or ()),
    )
