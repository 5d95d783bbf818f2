"""What the provider does when asked: one function per operation. Takes the transaction first.

Each decides with `payments`, writes with `book` and returns an outcome. None commits.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex

from simulators.payment_provider import book, payments
from simulators.payment_provider.answers import Answer, json_answer
from simulators.payment_provider.behaviours import (
    BEHAVIOURS,
    TEST_CARDS,
    WELL_KNOWN_TOKENS,
    Behaviour,
)
from simulators.payment_provider.payments import Charge, Payment
from simulators.payment_provider.problems import problem, refused
from simulators.payment_provider.refusals import (
    IdempotencyKeyReused,
    NotATestCard,
    PaymentNotFound,
    Refusal,
    UnknownPaymentMethod,
)


@dataclass(frozen=True)
class Outcome:
    """An answer, and what the edge has to know to deliver it."""

    answer: Answer
    payment_id: str | None = None
    behaviour: Behaviour = BEHAVIOURS["ok"]
    is_kept: bool = True  # whether a repeated key gets this answer again
    is_replayed: bool = False


Operation = Callable[[sqlite3.Connection], Outcome]


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def once(tx: sqlite3.Connection, key: str, fingerprint: str, operation: Operation) -> Outcome:
    """Perform `operation` unless `key` was used: then its first answer, byte for byte.

    A refusal is an answer too and is kept. The writer's lock makes simultaneous requests with
    one key take turns, so the second finds the answer of the first.
    """
    kept = book.kept_answer(tx, key)
    if kept is None:
        outcome = _perform(tx, operation)
        if outcome.is_kept:
            kept = book.KeptAnswer(fingerprint, outcome.answer, outcome.payment_id)
            book.keep_answer(tx, key, kept)
        return outcome
    if kept.fingerprint != fingerprint:
        return Outcome(refused(IdempotencyKeyReused()))
    return Outcome(kept.answer, kept.payment_id, is_replayed=True)


def _perform(tx: sqlite3.Connection, operation: Operation) -> Outcome:
    try:
        return operation(tx)
    except Refusal as refusal:  # Refusals come before the first write, so nothing is half done.
        return Outcome(refused(refusal))


def authorize(tx: sqlite3.Connection, charge: Charge) -> Outcome:
    """Hold the amount on the card, or decline. Raises UnknownPaymentMethod and what
    `payments.authorize` raises."""
    behaviour = _behaviour(tx, charge.payment_method)
    if behaviour.fails_first_call and not book.was_called(tx, "payment.authorize", charge):
        return Outcome(problem(500, "Internal server error"), is_kept=False)
    payment = payments.authorize(
        f"pay_{token_hex(12)}", charge, decline_code=behaviour.decline_code, created_at=now()
    )
    book.add_payment(tx, payment)
    return Outcome(json_answer(representation(payment)), payment.id, behaviour)


def capture(tx: sqlite3.Connection, payment_id: str, amount_minor: int) -> Outcome:
    """Raises PaymentNotFound and what `payments.capture` raises."""
    return _changed(tx, payments.capture(find(tx, payment_id), amount_minor))


def void(tx: sqlite3.Connection, payment_id: str) -> Outcome:
    """Raises PaymentNotFound and what `payments.void` raises."""
    return _changed(tx, payments.void(find(tx, payment_id)))


def tokenize(tx: sqlite3.Connection, card_number: str, *, is_expired: bool) -> Outcome:
    """A token for a test card; keeps its brand and last four digits. Raises NotATestCard."""
    card = TEST_CARDS.get(card_number)
    if card is None:
        raise NotATestCard
    behaviour = "expired_card" if is_expired else card.behaviour
    token, last4 = f"pm_{token_hex(12)}", card_number[-4:]
    book.add_token(tx, (token, behaviour, card.brand, last4, now()))
    return Outcome(json_answer({"token": token, "brand": card.brand, "last4": last4}))


def find(tx: sqlite3.Connection, payment_id: str) -> Payment:
    payment = book.find_payment(tx, payment_id)
    if payment is None:
        raise PaymentNotFound(payment_id=payment_id)
    return payment


def representation(payment: Payment) -> dict[str, object]:
    """A payment as every answer shows it; `decline_code` only where there is one."""
    charge = payment.charge
    shown: dict[str, object] = {
        "id": payment.id,
        "status": payment.status.value,
        "reference": charge.reference,
        "payment_method": charge.payment_method,
        "currency": charge.currency,
        "amount_minor": charge.amount_minor,
        "authorized_minor": payment.authorized_minor,
        "captured_minor": payment.captured_minor,
        "voided_minor": payment.voided_minor,
        "created_at": payment.created_at,
    }
    if payment.decline_code is not None:
        shown["decline_code"] = payment.decline_code
    return shown


def _changed(tx: sqlite3.Connection, payment: Payment) -> Outcome:
    book.change_payment(tx, payment, at=now())
    return Outcome(json_answer(representation(payment)), payment.id)


def _behaviour(tx: sqlite3.Connection, payment_method: str) -> Behaviour:
    name = WELL_KNOWN_TOKENS.get(payment_method) or book.token_behaviour(tx, payment_method)
    if name is None:
        raise UnknownPaymentMethod(code="resource_missing")
    return BEHAVIOURS[name]
