"""Queue entry: `python -m cart.worker`. Event type -> the use case it starts."""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

from common import worker
from common.consumer import Handler
from common.db import Database
from common.events import Event, MalformedEvent
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from sqlalchemy import Connection

from cart import use_cases
from cart.settings import Settings

# PostgreSQL takes no NUL.
_Name = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00]*$")]


class BoughtLine(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    sku: _Name
    quantity: int = Field(strict=True, ge=1)


class OrderConfirmed(BaseModel):
    """`data` of order.confirmed, as far as the cart reads it."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    order_id: UUID
    customer_id: _Name
    lines: list[BoughtLine]


def on_order_confirmed(tx: Connection, event: Event) -> None:
    try:
        order = OrderConfirmed.model_validate(event.data)
    except ValidationError as error:
        raise MalformedEvent(str(error)) from error
    bought: Counter[str] = Counter()
    for line in order.lines:
        bought[line.sku] += line.quantity
    use_cases.take_out_bought(tx, str(order.order_id), order.customer_id, bought)


HANDLERS: Mapping[str, Handler] = {"order.confirmed": on_order_confirmed}


def main() -> None:
    worker.install()
    settings = Settings()
    db = Database(settings.database_url.get_secret_value())
    worker.run(worker.messaging_loops(settings, db, HANDLERS))


if __name__ == "__main__":
    main()
