"""Queue entry: `python -m order.worker`. Every neighbour's answer moves an order on."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from common import worker
from common.consumer import Handler
from common.db import Database
from common.events import Event
from common.retries import RetryBudget
from common.worker import Loop
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from order.settings import Settings
from order.use_cases import orders, returns

# Orders nudged in one transaction; their rows stay locked for it.
NUDGE_BATCH_SIZE = 50
# Asked again are a tenth as many as were answered, and one a second beside. Where neighbours are
# late because there is too much for them, to ask them all again would be the end: each question
# makes four messages more, and nobody ever catches up.
NUDGES_PER_S = 1.0
# How often it is looked for them: a thirtieth of the first pause.
WATCH_EVERY_S = 1.0

# Those that say nothing beyond their type and whose order it is.
ANSWERS = (
    "stock.reserved",
    "stock.rejected",
    "stock.released",
    "stock.committed",
    "stock.reservation_expired",
    "payment.authorized",
    "payment.declined",
    "payment.captured",
    "payment.voided",
)
# As long as browsers are known to take.
URL_CHARS_MAX = 2_000


class Answer(BaseModel):
    """`data` of every one of them, as far as it is read here: a producer may add members."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    order_id: UUID


class ActionRequired(Answer):
    action_url: str = Field(pattern="^https?://", max_length=URL_CHARS_MAX)


class Refunded(Answer):
    refund_id: str = Field(min_length=1, max_length=128)
    return_id: UUID | None = None
    amount_minor: int = Field(ge=0, strict=True)


class Restocked(Answer):
    return_id: UUID


# Each of the handlers raises ValidationError or IllegalTransition: no redelivery mends either.


def on_answer(tx: Connection, event: Event) -> None:
    answer = Answer.model_validate(event.data)
    orders.advance(tx, str(answer.order_id), event.type, datetime.now(UTC))


def on_action_required(tx: Connection, event: Event) -> None:
    asked = ActionRequired.model_validate(event.data)
    orders.ask_customer(tx, str(asked.order_id), asked.action_url, datetime.now(UTC))


def on_refunded(tx: Connection, event: Event, time_scale: float = 1.0) -> None:
    refund = Refunded.model_validate(event.data).model_dump(mode="json")
    now = datetime.now(UTC)
    returns.on_refunded(tx, refund["order_id"], refund, now, time_scale=time_scale)


def on_restocked(tx: Connection, event: Event, time_scale: float = 1.0) -> None:
    told = Restocked.model_validate(event.data)
    order_id, return_id, now = str(told.order_id), str(told.return_id), datetime.now(UTC)
    returns.on_restocked(tx, order_id, return_id, now, time_scale=time_scale)


HANDLERS: Mapping[str, Handler] = {
    **dict.fromkeys(ANSWERS, on_answer),
    "payment.action_required": on_action_required,
    "payment.refunded": on_refunded,
    "stock.returned": on_restocked,
}


def prepare(tx: Connection, events: Sequence[Event]) -> None:
    """Before the handlers of a batch: its orders, locked in one order (ADR-0012). The neighbours'
    answers to two orders come to two workers at the same time, and not in the same order.

    Raises ValidationError, as the handler would.
    """
    orders.lock_together(tx, {str(Answer.model_validate(event.data).order_id) for event in events})


class Watchdog:
    """Asks again for the steps of orders and of returns that did not come, out of one budget.

    A return whose refund is refused stays due for ever, so neither kind may have all of a round:
    each has half, and what the other leaves. Who is first, and has the odd one, alternates.
    time_scale: divides the pauses.
    """

    def __init__(self, db: Database, time_scale: float, budget: RetryBudget) -> None:
        self._db, self._time_scale, self._budget = db, time_scale, budget
        self._kinds = (orders.nudge_waiting_orders, returns.nudge_returns)

    def nudge(self, now: datetime | None = None) -> int:
        """One round; how many orders and returns it asked about.

        now: for tests, another time.
        """
        limit = min(NUDGE_BATCH_SIZE, self._budget.left())
        if not limit:
            return 0
        at, scale = now or datetime.now(UTC), self._time_scale
        first, second = self._kinds
        self._kinds = second, first  # Whose round fails has had its turn.
        half = limit - limit // 2
        with self._db.transaction() as tx:
            asked_first = first(tx, at, half, time_scale=scale)
            asked = asked_first + second(tx, at, limit - asked_first, time_scale=scale)
            if asked_first == half and asked < limit:
                asked += first(tx, at, limit - asked, time_scale=scale)
        self._budget.spend(asked)
        return asked


def earning(budget: RetryBudget, handler: Handler) -> Handler:
    """*handler*, by whose every answer questions may be asked again."""

    def handle(tx: Connection, event: Event) -> None:
        budget.earn()
        handler(tx, event)

    return handle


def main() -> None:
    worker.install()
    settings = Settings()
    db = Database(settings.database_url.get_secret_value())
    scale = settings.saga_time_scale
    budget = RetryBudget(saved_max=NUDGE_BATCH_SIZE, per_s=NUDGES_PER_S)
    watchdog = Watchdog(db, scale, budget)
    watching = Loop("watchdog", watchdog.nudge, every_s=WATCH_EVERY_S / scale)
    hurried: dict[str, Handler] = {
        "payment.refunded": partial(on_refunded, time_scale=scale),
        "stock.returned": partial(on_restocked, time_scale=scale),
    }
    handlers = {type_: earning(budget, each) for type_, each in {**HANDLERS, **hurried}.items()}
    worker.run(worker.messaging_loops(settings, db, handlers, [watching], prepare))


if __name__ == "__main__":
    main()
