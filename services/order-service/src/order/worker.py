"""Queue entry: python -m order.worker. Every neighbour's answer moves an order on."""

from datetime import UTC, datetime

from common import worker
from common.db import Database
from common.events import Event
from common.worker import Loop
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


def on_answer(tx: Connection, event: Event) -> None:
    use_cases.advance(tx, event.subject, event.type, datetime.now(UTC))


HANDLERS = dict.fromkeys(ANSWERS, on_answer)


def nudge(db: Database, time_scale: float) -> int:
    """One round of the watchdog."""
    with db.transaction() as tx:
        return use_cases.nudge_waiting_orders(
            tx, datetime.now(UTC), NUDGE_BATCH_SIZE, time_scale=time_scale
        )


def main() -> None:
    worker.install()
    settings = Settings()
    db = Database(settings.database_url.get_secret_value())
    watchdog = Loop("watchdog", lambda: nudge(db, settings.saga_time_scale))
    worker.run(worker.messaging_loops(settings, db, HANDLERS, [watchdog]))


if __name__ == "__main__":
    main()
