"""Around the call to the provider: claim, ask, take the answer in, or ask again later."""

import random
from dataclasses import replace

import structlog
from common.errors import IllegalTransition
from common.metrics import meter
from sqlalchemy import Connection

from payment.clients import NotAsked, OutcomeUnknown, PaymentProvider, RefusedByProvider
from payment.domain import UNANSWERED, Fact, Operation, OperationKind, PaymentStatus, is_undone
from payment.store import operations, payments
from payment.use_cases import provider_facts
from payment.use_cases.payments import ATTENTION_ATTEMPTS, never_arrived

# Longer than a call may take (6.5 s), so that nobody else makes it meanwhile.
LEASE_S = 10.0
# After an answer that says neither yes nor no: 0.5 s, doubled, at most a minute, with jitter.
RETRY_S = 0.5
RETRY_S_MAX = 60.0
# Enough to reach the minute; 2.0 ** 1024, after a day of asking, would be an OverflowError.
RETRY_DOUBLINGS_MAX = 7
# Providers keep idempotency keys for 24 h (Stripe): sent later, the same key may charge again.
RESEND_FOR_S = 23 * 3600.0

log = structlog.get_logger()
_ended = meter.create_counter("app.payment.operations", unit="{operation}")


def claim(tx: Connection, limit: int) -> list[Operation]:
    """What has to be asked of the provider now; nobody else asks it for LEASE_S."""
    return operations.claim(tx, limit, LEASE_S, RESEND_FOR_S)


def answer_to(provider: PaymentProvider, operation: Operation) -> Fact | None:
    """What the provider says to *operation*; None if it never heard of it.

    It is sent, with the same key each time, unless asking is safer: when the provider may have
    forgotten the key, or when an authorization that may be under way is not wanted any more. A
    capture or void that turns out not to be done is sent even then: it cannot be done twice.
    Raises OutcomeUnknown, RefusedByProvider.
    """
    unwanted = operation.kind is OperationKind.AUTHORIZE and operation.payment.void_requested
    if unwanted or not operation.resendable:
        fact = provider.ask(operation)
        if fact is None or not is_undone(operation.kind, fact.status):
            return fact
    try:
        return provider.perform(operation)
    except RefusedByProvider as refusal:
        if not refusal.is_conflict:
            raise
        # Another state there than we thought: what it is decides (a shopper gave up meanwhile).
        fact = provider.ask(operation)
        if fact is None:
            raise
        return fact


def take(tx: Connection, operation: Operation, fact: Fact | None) -> None:
    """Apply the answer to *operation*. Raises OutcomeUnknown, IllegalTransition: it stays due."""
    order_id = operation.payment.order_id
    if fact is not None:
        provider_facts.apply(tx, order_id, fact)
    elif operation.kind is OperationKind.AUTHORIZE:
        never_arrived(tx, order_id)
    if operations.is_due(tx, operation.id):
        if fact is None:
            raise OutcomeUnknown("the provider knows nothing of it, and its key has expired")
        raise IllegalTransition(f"the provider's {fact.status} does not answer {operation.kind}")
    _ended.add(1, {"app.operation": operation.kind, "app.outcome": "answered"})


def postpone(tx: Connection, operation: Operation, error: Exception) -> None:
    """No answer that decides: ask again later, with the same key."""
    outcome = "unknown" if isinstance(error, OutcomeUnknown) else "refused"
    doublings = min(operation.attempts - 1, RETRY_DOUBLINGS_MAX)
    delay_s = min(RETRY_S * 2.0**doublings, RETRY_S_MAX)
    jittered_s = delay_s * random.uniform(0.5, 1.0)  # noqa: S311  Spreads retries, guards nothing.
    # Payment first, as everywhere: two locks in two orders are a deadlock.
    payment = payments.get(tx, operation.payment.order_id)
    still_due = operations.postpone(
        tx,
        operation.id,
        jittered_s,
        outcome=outcome,
        error=f"{type(error).__name__}: {error}",
    )
    # What was never asked is not unknown.
    is_doubtful = outcome == "unknown" and not isinstance(error, NotAsked)
    if payment and still_due and is_doubtful and payment.status in UNANSWERED:
        payments.save(tx, replace(payment, status=PaymentStatus.UNKNOWN))
    _ended.add(1, {"app.operation": operation.kind, "app.outcome": outcome})


def report(operation: Operation, error: Exception) -> None:
    """A time-out resolves itself; a refusal needs a person, who is not told every minute."""
    first_or_tenth = operation.attempts == 1 or operation.attempts % ATTENTION_ATTEMPTS == 0
    needs_a_person = not isinstance(error, OutcomeUnknown)
    level = log.error if needs_a_person and first_or_tenth else log.warning
    level(
        "operation_postponed",
        order_id=operation.payment.order_id,
        kind=operation.kind,
        attempts=operation.attempts,
        error=str(error),
    )


def waiting(tx: Connection) -> dict[str, int]:
    """How many operations wait for an answer, by what became of them: unknown, refused."""
    return operations.count_waiting(tx)
