"""Queue entry: `python -m order.worker`. Every neighbour's answer moves an order on."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from common import worker
from common.consumer import Handler
from common.db import Database
from common.events import Event
from common.worker import Loop
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from order import use_cases
from order.settings import Settings

# Orders nudged in one transaction; their rows stay locked for it.
NUDGE_BATCH_SIZE = 50

ANSWERS = (
    "stock.reserved",
    "stock.rejected",
    "stock.released",
    "stock.committed",
    "payment.authorized",
    "payment.declined",
    "payment.captured",
    "payment.voided",
)


class Answer(BaseModel):
    """`data` of every one of them, as far as it is read here: a producer may add members."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    order_id: UUID


def on_answer(tx: Connection, event: Event) -> None:
    """Raises ValidationError, IllegalTransition: no redelivery mends either."""
    answer = Answer.model_validate(event.data)
    use_cases.advance(tx, str(answer.order_id), event.type, datetime.now(UTC))


HANDLERS: Mapping[str, Handler] = dict.fromkeys(ANSWERS, on_answer)


def nudge(db: Database, time_scale: float, now: datetime | None = None) -> int:
    """One round of the watchdog; how many orders it asked about. now: for tests, another time."""
    with db.transaction() as tx:
        return use_cases.nudge_waiting_orders(
            tx, now or datetime.now(UTC), NUDGE_BATCH_SIZE, time_scale=time_scale
        )


def main() -> None:
    worker.install()
    settings = Settings()
    db = Database(settings.database_url.get_secret_value())
    watchdog = Loop("watchdog", lambda: nudge(db, settings.saga_time_scale))
    worker.run(worker.messaging_loops(settings, db, HANDLERS, others=[watchdog]))


if __name__ == "__main__":
    main()
