"""Queue entry: `python -m payment.worker`. Event type -> the use case it starts; and the loops."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Annotated
from uuid import UUID

import structlog
from card_numbers import holds_card_number
from common import breaker, tracing, worker
from common.consumer import Handler
from common.db import Database, is_away
from common.errors import IllegalTransition
from common.events import Event
from common.metrics import meter
from common.worker import POLL_S_MAX, Loop
from opentelemetry.metrics import CallbackOptions, Observation
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from payment.clients import CONNECTIONS, OutcomeUnknown, PaymentProvider, RefusedByProvider
from payment.domain import Fact, Operation
from payment.settings import Settings
from payment.store.operations import LOOP
from payment.use_cases import operations, payments, reconciliation, refunds, webhooks

# Calls to the provider at the same time: a slow card holds one of them for five seconds. No other
# thread of ours ever waits for the provider, so this is also all that it can hold up.
HANDS = CONNECTIONS
# Each hand applies its answer; beside them relay, consumer, claims, webhooks, the comparison of
# the books, retention and the metrics need a connection.
DATABASE_CONNECTIONS = HANDS + 7
# Old webhooks are no hurry.
SWEEP_EVERY_S = 600.0
# The plan in the database says when; this is how often it is looked at, at scale 1.
RECONCILE_POLL_S = 5.0

# Every integer JSON carries unharmed (RFC 8259 §6); what may be charged is the provider's matter.
AMOUNT_MINOR_MAX = 2**53 - 1

log = structlog.get_logger()

Perform = Callable[[Operation], Fact | None]


def _no_card_number(text: str) -> str:
    if holds_card_number(text) or holds_card_number(text.replace("_", " ")):
        raise ValueError("it holds a card number")
    return text


PaymentMethod = Annotated[
    str, StringConstraints(pattern="^pm_[A-Za-z0-9_]{1,64}$"), AfterValidator(_no_card_number)
]
CustomerId = Annotated[
    str,
    StringConstraints(pattern="^[!-~]+$", min_length=1, max_length=128),
    AfterValidator(_no_card_number),
]
AmountMinor = Annotated[int, Field(strict=True, gt=0, le=AMOUNT_MINOR_MAX)]
Currency = Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")]


class _Data(BaseModel):
    """As far as payment reads it: a producer may add members."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    order_id: UUID


class StockReserved(_Data):
    customer_id: CustomerId
    amount_minor: AmountMinor
    currency: Currency
    payment_method: PaymentMethod


class OrderReturned(_Data):
    return_id: UUID
    amount_minor: AmountMinor
    currency: Currency


def on_stock_reserved(tx: Connection, event: Event) -> None:
    reserved = StockReserved.model_validate(event.data)
    payments.initiate(
        tx,
        str(reserved.order_id),
        reserved.amount_minor,
        reserved.currency,
        reserved.payment_method,
        reserved.customer_id,
    )


def on_order_confirmed(tx: Connection, event: Event) -> None:
    payments.capture(tx, str(_Data.model_validate(event.data).order_id))


def on_cancellation_requested(tx: Connection, event: Event) -> None:
    payments.cancel(tx, str(_Data.model_validate(event.data).order_id))


def on_order_returned(tx: Connection, event: Event) -> None:
    returned = OrderReturned.model_validate(event.data)
    refunds.refund_return(
        tx,
        str(returned.order_id),
        str(returned.return_id),
        returned.amount_minor,
        returned.currency,
    )


HANDLERS: Mapping[str, Handler] = {
    "stock.reserved": on_stock_reserved,
    "order.confirmed": on_order_confirmed,
    "order.cancellation_requested": on_cancellation_requested,
    "order.returned": on_order_returned,
}


class Operations:
    """Keeps calls to the provider going, each by a hand of its own: a slow one delays no other.

    No more are claimed than there are hands free, so that none waits while its lease runs out.
    admits: how many of so many calls would be made now; the others stay due, and count no attempt.
    """

    def __init__(
        self,
        db: Database,
        perform: Perform,
        *,
        hands: int = HANDS,
        admits: Callable[[int], int] = int,
    ) -> None:
        self._db = db
        self._perform = perform
        self._hands = hands
        self._admits = admits
        self._executor = ThreadPoolExecutor(hands, thread_name_prefix="provider")
        self._under_way: set[Future[None]] = set()
        self._may_have_left_some = False
        self.loop = Loop(LOOP, self.run_once, every_s=POLL_S_MAX, batch_size=hands)

    def run_once(self) -> int:
        """Start what is due; return how many calls were started."""
        self._collect()
        self._may_have_left_some = True  # From here on, so that no end goes unnoticed.
        free = self._admits(self._hands - len(self._under_way))
        if not free:
            return 0
        with self._db.transaction() as tx:
            claimed = operations.claim(tx, free)
        self._may_have_left_some = len(claimed) == free
        for operation in claimed:
            future = self._executor.submit(perform_operation, self._db, self._perform, operation)
            self._under_way.add(future)
            future.add_done_callback(self._free_a_hand)
        return len(claimed)

    def _free_a_hand(self, _: Future[None]) -> None:
        if self._may_have_left_some:
            self.loop.wake.set()

    def finish(self) -> None:
        """Wait for the calls under way; each ends within CALL_S_MAX."""
        wait(self._under_way)
        self._collect()

    def close(self) -> None:
        self.finish()
        self._executor.shutdown()

    def _collect(self) -> None:
        ended = {future for future in self._under_way if future.done()}
        self._under_way -= ended
        for future in ended:
            error = future.exception()
            # Nothing is lost: it is due again when its lease runs out.
            if error and is_away(error):
                log.warning("operation_left_to_its_lease", error=type(error).__name__)
            elif error:
                log.error("operation_left_to_its_lease", exc_info=error)


def perform_operation(db: Database, perform: Perform, operation: Operation) -> None:
    """Ask the provider outside any transaction, in the checkout's trace, and apply its answer.

    A crash at any point leaves it due again after its lease, with the same idempotency key.
    """
    about = {"app.order.id": operation.payment.order_id, "app.attempt": str(operation.attempts)}
    with tracing.resumed_span(f"{operation.kind} payment", operation.traceparent, **about):
        try:
            fact = perform(operation)
            with db.transaction() as tx:
                operations.take(tx, operation, fact)
        except (OutcomeUnknown, RefusedByProvider, IllegalTransition) as error:
            # All three stay due: the first resolves itself, the others need a person, and a
            # forgotten operation would be worse than a repeated question.
            operations.report(operation, error)
            with db.transaction() as tx:
                operations.postpone(tx, operation, error)


def observe(db: Database) -> None:
    """What waits for the provider, and what the books do not agree about, as gauges."""

    def of(ask: Callable[[Connection], dict[str, int]], name: str) -> Callable[..., object]:
        def observed(_: CallbackOptions) -> Iterable[Observation]:
            try:
                with db.transaction() as tx:
                    counts = ask(tx)
            except SQLAlchemyError as error:  # No figure is the truth when the database is away.
                log.info("not_observed", error=type(error).__name__)
                return []
            return [Observation(count, {name: kind}) for kind, count in counts.items()]

        return observed

    meter.create_observable_gauge(
        "app.payment.operations.waiting",
        [of(operations.waiting, "app.outcome")],  # type: ignore[list-item]
        unit="{operation}",
    )
    meter.create_observable_gauge(
        "app.payment.differences.open",
        [of(reconciliation.count_open, "app.difference")],  # type: ignore[list-item]
        unit="{difference}",
    )


def main() -> None:
    worker.install()
    settings = Settings()
    db = Database(settings.database_url.get_secret_value(), pool_size=DATABASE_CONNECTIONS)
    provider = PaymentProvider(
        settings.payment_provider_url,
        settings.payment_provider_api_key.get_secret_value(),
        action_hosts=settings.action_hosts,
        return_url=settings.return_url,
    )
    asking = Operations(
        db,
        lambda operation: operations.answer_to(provider, operation),
        admits=provider.breaker.admits,
    )
    scale = settings.saga_time_scale
    observe(db)
    breaker.observe(provider.breaker)
    loops = [
        asking.loop,
        Loop("webhooks", lambda: webhooks.run_once(db, provider)),
        Loop(
            "reconciliation",
            lambda: reconciliation.run_once(db, provider, scale),
            every_s=RECONCILE_POLL_S / scale,
            stuck_after_s=reconciliation.TAKES_S_MAX,
        ),
        Loop("webhook-retention", lambda: webhooks.sweep(db), every_s=SWEEP_EVERY_S),
    ]
    worker.run(worker.messaging_loops(settings, db, HANDLERS, others=loops))
    asking.close()
    tracing.flush()


if __name__ == "__main__":
    main()
