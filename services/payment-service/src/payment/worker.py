"""Queue entry: `python -m payment.worker`. Event type -> the use case it starts."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from uuid import UUID

import structlog
from common import tracing, worker
from common.consumer import Handler
from common.db import Database
from common.errors import IllegalTransition
from common.events import Event
from common.worker import Loop
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from payment import use_cases
from payment.clients import CONNECTIONS, OutcomeUnknown, PaymentProvider, RefusedByProvider
from payment.domain import Fact, Operation
from payment.settings import Settings

# Calls to the provider at the same time: a slow card holds one of them for five seconds.
HANDS = CONNECTIONS
# Each hand applies its answer; beside them relay, consumer and the claims need a connection.
DATABASE_CONNECTIONS = HANDS + 3

# Every integer JSON carries unharmed (RFC 8259 §6); what may be charged is the provider's matter.
AMOUNT_MINOR_MAX = 2**53 - 1

log = structlog.get_logger()

Perform = Callable[[Operation], Fact]


class _Data(BaseModel):
    """As far as payment reads it: a producer may add members."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    order_id: UUID


class StockReserved(_Data):
    amount_minor: int = Field(strict=True, gt=0, le=AMOUNT_MINOR_MAX)
    currency: str = Field(pattern="^[A-Z]{3}$")
    payment_method: str = Field(pattern="^pm_[A-Za-z0-9_]{1,64}$")


def on_stock_reserved(tx: Connection, event: Event) -> None:
    reserved = StockReserved.model_validate(event.data)
    use_cases.initiate(
        tx,
        str(reserved.order_id),
        reserved.amount_minor,
        reserved.currency,
        reserved.payment_method,
    )


def on_order_confirmed(tx: Connection, event: Event) -> None:
    use_cases.capture(tx, str(_Data.model_validate(event.data).order_id))


def on_cancellation_requested(tx: Connection, event: Event) -> None:
    use_cases.cancel(tx, str(_Data.model_validate(event.data).order_id))


HANDLERS: Mapping[str, Handler] = {
    "stock.reserved": on_stock_reserved,
    "order.confirmed": on_order_confirmed,
    "order.cancellation_requested": on_cancellation_requested,
}


class Operations:
    """Keeps calls to the provider going, each by a hand of its own: a slow one delays no other.

    No more are claimed than there are hands free, so that none waits while its lease runs out.
    """

    def __init__(self, db: Database, perform: Perform, *, hands: int = HANDS) -> None:
        self._db = db
        self._perform = perform
        self._hands = hands
        self._executor = ThreadPoolExecutor(hands, thread_name_prefix="provider")
        self._under_way: set[Future[None]] = set()
        self.loop = Loop("operations", self.run_once)

    def run_once(self) -> int:
        """Start what is due; return how many calls were started or have ended since."""
        ended = self._collect()
        free = self._hands - len(self._under_way)
        if not free:
            return ended
        with self._db.transaction() as tx:
            operations = use_cases.claim(tx, free)
        for operation in operations:
            future = self._executor.submit(perform_operation, self._db, self._perform, operation)
            self._under_way.add(future)
            # What it has written waits for the relay, which wakes when this loop did something.
            future.add_done_callback(lambda _: self.loop.wake.set())
        return ended + len(operations)

    def finish(self) -> None:
        """Wait for the calls under way; each ends by its own timeouts."""
        wait(self._under_way)
        self._collect()

    def close(self) -> None:
        self.finish()
        self._executor.shutdown()

    def _collect(self) -> int:
        ended = {future for future in self._under_way if future.done()}
        self._under_way -= ended
        for future in ended:
            error = future.exception()
            if error:  # Nothing is lost: it is due again when its lease runs out.
                log.error("operation_left_to_its_lease", exc_info=error)
        return len(ended)


def perform_operation(db: Database, perform: Perform, operation: Operation) -> None:
    """Ask the provider outside any transaction, in the checkout's trace, and apply its answer.

    A crash at any point leaves it due again after its lease, with the same idempotency key.
    """
    about = {"app.order.id": operation.payment.order_id, "app.attempt": str(operation.attempts)}
    with tracing.resumed_span(f"{operation.kind} payment", operation.traceparent, **about):
        try:
            fact = perform(operation)
            with db.transaction() as tx:
                use_cases.apply(tx, operation, fact)
        except (OutcomeUnknown, RefusedByProvider, IllegalTransition) as error:
            # All three stay due: the first resolves itself, the others need a person, and a
            # forgotten operation would be worse than a repeated question.
            level = log.warning if isinstance(error, OutcomeUnknown) else log.error
            level(
                "operation_postponed",
                order_id=operation.payment.order_id,
                kind=operation.kind,
                attempts=operation.attempts,
                error=str(error),
            )
            with db.transaction() as tx:
                use_cases.postpone(tx, operation, f"{type(error).__name__}: {error}")


def main() -> None:
    worker.install()
    settings = Settings()
    db = Database(settings.database_url.get_secret_value(), pool_size=DATABASE_CONNECTIONS)
    provider = PaymentProvider(
        settings.payment_provider_url, settings.payment_provider_api_key.get_secret_value()
    )
    operations = Operations(db, provider.perform)
    worker.run(worker.messaging_loops(settings, db, HANDLERS, others=[operations.loop]))
    operations.close()
    tracing.flush()


if __name__ == "__main__":
    main()
