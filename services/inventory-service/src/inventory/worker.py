"""Queue entry: `python -m inventory.worker`. Event type -> the use case it starts."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from common import worker
from common.consumer import Handler
from common.db import Database
from common.events import Event
from common.worker import Loop
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import Connection

from inventory import use_cases
from inventory.domain import RESERVATION_TTL, Line, Payable
from inventory.settings import Settings

# PostgreSQL takes no NUL.
_Name = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00]*$")]
# As many lines as an order may have (contract of the order service).
LINES_MAX = 200
# Asked about in one transaction: the relay sends ten at a time anyway.
EXPIRED_BATCH_SIZE = 100
# So that a question is late by a fortieth of the time at the most.
SWEEPS_PER_TTL = 40


class _Data(BaseModel):
    """As far as the inventory reads it: a producer may add members."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class OrderLine(_Data):
    sku: _Name
    quantity: int = Field(strict=True, ge=1, le=1_000_000)


class OrderSettled(_Data):
    """`data` of order.confirmed and order.cancelled."""

    order_id: UUID


class _OrderWithLines(OrderSettled):
    lines: list[OrderLine] = Field(min_length=1, max_length=LINES_MAX)

    def as_lines(self) -> list[Line]:
        return [Line(line.sku, line.quantity) for line in self.lines]


class OrderPlaced(_OrderWithLines):
    """`data` of order.placed."""

    customer_id: _Name
    amount_minor: int = Field(strict=True, ge=0)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    payment_method: _Name


class OrderReturned(_OrderWithLines):
    """`data` of order.returned: the parcel has arrived."""

    return_id: UUID


def on_order_placed(tx: Connection, event: Event) -> None:
    order = OrderPlaced.model_validate(event.data)
    payable = Payable(order.customer_id, order.amount_minor, order.currency, order.payment_method)
    use_cases.reserve_stock(tx, str(order.order_id), payable, order.as_lines(), cause=event.id)


def on_order_confirmed(tx: Connection, event: Event) -> None:
    order = OrderSettled.model_validate(event.data)
    use_cases.commit_stock(tx, str(order.order_id), cause=event.id)


def on_order_cancelled(tx: Connection, event: Event) -> None:
    order = OrderSettled.model_validate(event.data)
    use_cases.release_stock(tx, str(order.order_id), cause=event.id)


def on_order_returned(tx: Connection, event: Event) -> None:
    back = OrderReturned.model_validate(event.data)
    use_cases.restock_return(
        tx, str(back.order_id), str(back.return_id), back.as_lines(), cause=event.id
    )


HANDLERS: Mapping[str, Handler] = {
    "order.placed": on_order_placed,
    "order.confirmed": on_order_confirmed,
    "order.cancelled": on_order_cancelled,
    "order.returned": on_order_returned,
}
# What prepare must read of them.
_MODELS: Mapping[str, type[OrderSettled]] = {
    "order.placed": OrderPlaced,
    "order.returned": OrderReturned,
}


def prepare(tx: Connection, events: Sequence[Event]) -> None:
    """Before the handlers of a batch: all that it will change, locked in one order (ADR-0012).

    Raises ValidationError, as the handler would.
    """
    orders = [_MODELS.get(event.type, OrderSettled).model_validate(event.data) for event in events]
    skus = {
        line.sku for order in orders if isinstance(order, _OrderWithLines) for line in order.lines
    }
    use_cases.lock_together(tx, [str(order.order_id) for order in orders], sorted(skus))


def ask_about_expired(db: Database, ttl: timedelta) -> int:
    """One round of the sweeper; how many orders it asked about."""
    with db.transaction() as tx:
        return use_cases.ask_about_expired(tx, ttl, EXPIRED_BATCH_SIZE)


def main() -> None:
    worker.install()
    settings = Settings()
    db = Database(settings.database_url.get_secret_value())
    ttl = RESERVATION_TTL / settings.saga_time_scale
    sweeper = Loop(
        "expiry",
        lambda: ask_about_expired(db, ttl),
        every_s=ttl.total_seconds() / SWEEPS_PER_TTL,
    )
    worker.run(worker.messaging_loops(settings, db, HANDLERS, [sweeper], prepare=prepare))


if __name__ == "__main__":
    main()
