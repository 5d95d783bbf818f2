"""Queue entry: `python -m catalog.worker`. Event type -> the use case it starts."""

from collections.abc import Mapping
from datetime import datetime

from common import worker
from common.consumer import Handler
from common.db import Database
from common.events import Event, MalformedEvent
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Connection

from catalog import domain, use_cases
from catalog.domain import Availability
from catalog.settings import Settings


class StockLevel(BaseModel):
    """`data` of stock.low and stock.replenished, as far as the catalog reads it, and its time."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    sku: str = Field(min_length=1, max_length=64, pattern=r"^[^\x00]*$")
    available: int = Field(strict=True, ge=0)
    time: AwareDatetime

    @property
    def at(self) -> datetime:
        return self.time


def on_stock_low(tx: Connection, event: Event) -> None:
    level = _stock_level(event)
    availability = domain.availability_when_low(level.available)
    use_cases.note_availability(tx, level.sku, availability, at=level.at)


def on_stock_replenished(tx: Connection, event: Event) -> None:
    level = _stock_level(event)
    use_cases.note_availability(tx, level.sku, Availability.IN_STOCK, at=level.at)


def _stock_level(event: Event) -> StockLevel:
    try:
        return StockLevel.model_validate(event.data | {"time": event.time})
    except ValidationError as error:
        raise MalformedEvent(str(error)) from error


HANDLERS: Mapping[str, Handler] = {
    "stock.low": on_stock_low,
    "stock.replenished": on_stock_replenished,
}


def main() -> None:
    worker.install()
    settings = Settings()
    db = Database(settings.database_url.get_secret_value())
    worker.run(worker.messaging_loops(settings, db, HANDLERS))


if __name__ == "__main__":
    main()
