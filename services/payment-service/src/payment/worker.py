"""Queue entry: python -m payment.worker. Event type -> the use case it starts."""

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor

import structlog
from common import tracing, worker
from common.db import Database
from common.errors import IllegalTransition
from common.events import Event
from common.worker import Loop
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from payment import use_cases
from payment.clients import OutcomeUnknown, PaymentProvider, RefusedByProvider
from payment.domain import Fact, Operation
from payment.settings import Settings

# Operations claimed at once, and calls to the provider at the same time.
BATCH_SIZE = 20
HANDS = 8

log = structlog.get_logger()

Perform = Callable[[Operation], Fact]


class StockReserved(BaseModel):
    order_id: str
    amount_minor: int = Field(ge=0)
    currency: str = Field(pattern="^[A-Z]{3}$")
    payment_method: str


def on_stock_reserved(tx: Connection, event: Event) -> None:
    reserved = StockReserved.model_validate(event.data)
    use_cases.initiate(
        tx,
        reserved.order_id,
        reserved.amount_minor,
        reserved.currency,
        reserved.payment_method,
    )


def on_order_confirmed(tx: Connection, event: Event) -> None:
    use_cases.capture(tx, event.subject)


def on_cancellation_requested(tx: Connection, event: Event) -> None:
    use_cases.cancel(tx, event.subject)


HANDLERS = {
    "stock.reserved": on_stock_reserved,
    "order.confirmed": on_order_confirmed,
    "order.cancellation_requested": on_cancellation_requested,
}


def perform_operations(db: Database, perform: Perform, hands: Executor) -> int:
    """Claim what is due, ask the provider outside any transaction, apply each answer.

    Returns how many were due. A crash at any point leaves them due again after their lease,
    with the same idempotency key.
    """
    with db.transaction() as tx:
        operations = use_cases.claim(tx, BATCH_SIZE)
    list(hands.map(lambda operation: _perform_one(db, perform, operation), operations))
    return len(operations)


def _perform_one(db: Database, perform: Perform, operation: Operation) -> None:
    name = f"{operation.kind} payment"
    with tracing.resumed_span(name, operation.traceparent):
        try:
            fact = perform(operation)
            with db.transaction() as tx:
                use_cases.apply(tx, operation, fact)
        except (OutcomeUnknown, RefusedByProvider, IllegalTransition) as error:
            # All three stay due: the first resolves itself, the others need a person, and a
            # forgotten operation would be worse than a repeated question.
            log.warning("operation_postponed", kind=operation.kind, error=str(error))
            with db.transaction() as tx:
                use_cases.postpone(tx, operation, f"{type(error).__name__}: {error}")


def main() -> None:
    worker.install()
    settings = Settings()
    db = Database(settings.database_url.get_secret_value(), pool_size=HANDS + 3)
    provider = PaymentProvider(
        settings.payment_provider_url, settings.payment_provider_api_key.get_secret_value()
    )
    hands = ThreadPoolExecutor(HANDS, thread_name_prefix="provider")
    operations = Loop("operations", lambda: perform_operations(db, provider.perform, hands))
    worker.run(worker.messaging_loops(settings, db, HANDLERS, [operations]))


if __name__ == "__main__":
    main()
