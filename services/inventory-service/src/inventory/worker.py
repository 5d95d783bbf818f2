"""Queue entry: `python -m inventory.worker`. Event type -> the use case it starts."""

from collections.abc import Mapping
from typing import Annotated, TypeVar
from uuid import UUID

from common import worker
from common.consumer import Handler
from common.db import Database
from common.events import Event, MalformedEvent
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from sqlalchemy import Connection

from inventory import use_cases
from inventory.domain import Line, Payable
from inventory.settings import Settings

# PostgreSQL takes no NUL.
_Name = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00]*$")]
# As many lines as an order may have (contract of the order service).
LINES_MAX = 200


class _Data(BaseModel):
    """As far as the inventory reads it: a producer may add members."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class PlacedLine(_Data):
    sku: _Name
    quantity: int = Field(strict=True, ge=1, le=1_000_000)


class OrderSettled(_Data):
    """`data` of order.confirmed and order.cancelled."""

    order_id: UUID


class OrderPlaced(OrderSettled):
    """`data` of order.placed."""

    customer_id: _Name
    amount_minor: int = Field(strict=True, ge=0)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    payment_method: _Name
    lines: list[PlacedLine] = Field(min_length=1, max_length=LINES_MAX)


D = TypeVar("D", bound=_Data)


def on_order_placed(tx: Connection, event: Event) -> None:
    order = _read(OrderPlaced, event)
    payable = Payable(order.customer_id, order.amount_minor, order.currency, order.payment_method)
    lines = [Line(line.sku, line.quantity) for line in order.lines]
    use_cases.reserve_stock(tx, str(order.order_id), payable, lines, cause=event.id)


def on_order_confirmed(tx: Connection, event: Event) -> None:
    use_cases.commit_stock(tx, str(_read(OrderSettled, event).order_id), cause=event.id)


def on_order_cancelled(tx: Connection, event: Event) -> None:
    use_cases.release_stock(tx, str(_read(OrderSettled, event).order_id), cause=event.id)


def _read(model: type[D], event: Event) -> D:
    try:
        return model.model_validate(event.data)
    except ValidationError as error:
        raise MalformedEvent(str(error)) from error


HANDLERS: Mapping[str, Handler] = {
    "order.placed": on_order_placed,
    "order.confirmed": on_order_confirmed,
    "order.cancelled": on_order_cancelled,
}


def main() -> None:
    worker.install()
    settings = Settings()
    db = Database(settings.database_url.get_secret_value())
    worker.run(worker.messaging_loops(settings, db, HANDLERS))


if __name__ == "__main__":
    main()
