"""What became true of a payment: into the log, the payment and the queue of webhooks at once."""

import sqlite3
from dataclasses import dataclass, replace
from secrets import token_hex

from simulators.payment_provider import clock
from simulators.payment_provider.rules import webhooks
from simulators.payment_provider.rules.behaviours import BEHAVIOURS, WELL_KNOWN_TOKENS, Behaviour
from simulators.payment_provider.rules.payments import Payment, Status
from simulators.payment_provider.rules.refusals import UnknownPaymentMethod
from simulators.payment_provider.settings import Settings
from simulators.payment_provider.storage import book, webhook_queue
from simulators.payment_provider.storage.book import Challenge, Refund
from simulators.payment_provider.storage.representations import payment_shown, refund_shown


@dataclass(frozen=True)
class Asked:
    """The circumstances of a request: when, in which trace, and of which provider."""

    settings: Settings
    at_ms: int
    traceparent: str | None = None
    base_url: str = ""  # how whoever asks reaches the provider


def begin(
    tx: sqlite3.Connection, asked: Asked, payment: Payment, challenge: Challenge | None = None
) -> Payment:
    """Write down a new payment; returns it with its moment."""
    at = book.moment(tx, asked.at_ms)
    begun = replace(payment, created_at=at, updated_at=at)
    book.add_payment(tx, begun, changed_seq=_add_fact(tx, begun))
    if challenge is not None:
        book.add_challenge(tx, challenge)
    _tell(tx, asked, begun)
    return begun


def change(
    tx: sqlite3.Connection, asked: Asked, payment: Payment, refund: Refund | None = None
) -> Payment:
    """Write down what became of a payment; returns it with its moment."""
    changed = replace(payment, updated_at=book.moment(tx, asked.at_ms), next_action=None)
    book.change_payment(tx, changed, changed_seq=_add_fact(tx, changed, refund))
    if refund is not None:
        book.add_refund(tx, refund)
    _tell(tx, asked, changed, refund)
    return changed


def behaviour_of(tx: sqlite3.Connection, payment_method: str) -> Behaviour:
    """Raises UnknownPaymentMethod."""
    name = WELL_KNOWN_TOKENS.get(payment_method) or book.token_behaviour(tx, payment_method)
    if name is None:
        raise UnknownPaymentMethod(code="resource_missing")
    return BEHAVIOURS[name]


def plan(settings: Settings, at_ms: int, delays_ms: tuple[int, ...] = (0,)) -> webhook_queue.Plan:
    """Deliveries after these delays; none at all when there is nowhere to send them."""
    due = [at_ms + delay_ms for delay_ms in delays_ms] if settings.webhook_url else []
    return webhook_queue.Plan(due, settings.webhook_retry_for_s * clock.MS_PER_S)


def _add_fact(tx: sqlite3.Connection, payment: Payment, refund: Refund | None = None) -> int:
    moved = {Status.CAPTURED: payment.captured_minor, Status.VOIDED: payment.voided_minor}
    amount_minor = moved.get(payment.status, payment.charge.amount_minor)
    return book.add_fact(
        tx,
        _name(payment, refund),
        payment,
        refund.amount_minor if refund else amount_minor,
        at=payment.updated_at,
    )


def _name(payment: Payment, refund: Refund | None) -> str:
    return "payment.refunded" if refund else f"payment.{payment.status}"


def _tell(
    tx: sqlite3.Connection, asked: Asked, payment: Payment, refund: Refund | None = None
) -> None:
    event_id, name, at = f"evt_{token_hex(12)}", _name(payment, refund), payment.updated_at
    body = webhooks.event(
        event_id, name, at, payment_shown(payment), refund_shown(refund) if refund else None
    )
    number = webhook_queue.count_of(tx, payment.id) + 1
    delivery = behaviour_of(tx, payment.charge.payment_method).delivery
    delays_ms = webhooks.delays_ms(delivery, number, asked.settings.webhook_late_ms)
    traceparent = asked.traceparent or webhook_queue.first_traceparent(tx, payment.id)
    webhook = webhook_queue.Webhook(
        event_id, name, payment.id, payment.charge.reference, at, traceparent, body
    )
    webhook_queue.add(tx, webhook, plan(asked.settings, asked.at_ms, delays_ms))
