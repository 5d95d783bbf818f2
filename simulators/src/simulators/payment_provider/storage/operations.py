"""What the provider does when the shop asks: one function per operation, transaction first.

Each decides with `payments`, writes with `facts` and `book`, and returns an outcome. None commits.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from secrets import token_hex, token_urlsafe

import orjson

from simulators.payment_provider import clock
from simulators.payment_provider.rules import payments
from simulators.payment_provider.rules.answers import Answer, json_answer, problem, refused
from simulators.payment_provider.rules.behaviours import BEHAVIOURS, TEST_CARDS, Behaviour
from simulators.payment_provider.rules.payments import Charge, NextAction, Payment
from simulators.payment_provider.rules.refusals import (
    IdempotencyKeyReused,
    NotATestCard,
    OperationNotFound,
    PaymentNotFound,
    Refusal,
)
from simulators.payment_provider.storage import book, facts
from simulators.payment_provider.storage.book import Challenge, Refund
from simulators.payment_provider.storage.facts import Asked
from simulators.payment_provider.storage.representations import payment_shown, refund_shown

# As many bits as an AES key: nobody guesses their way to another shopper's page.
CHALLENGE_KEY_BYTES = 16


@dataclass(frozen=True)
class Outcome:
    """An answer, and what the edge has to know to deliver it."""

    answer: Answer
    payment_id: str | None = None
    behaviour: Behaviour = BEHAVIOURS["ok"]
    is_kept: bool = True  # whether a repeated key gets this answer again
    is_replayed: bool = False
    is_lost: bool = False  # whether the caller is hung up on


Operation = Callable[[sqlite3.Connection], Outcome]


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


def authorize(
    tx: sqlite3.Connection, asked: Asked, charge: Charge, return_url: str | None = None
) -> Outcome:
    """Hold the amount on the card, decline, or ask for the shopper.

    return_url: where the shopper goes after a challenge; of an origin that was allowed.
    Raises UnknownPaymentMethod and what `payments.authorize` raises.
    """
    behaviour = facts.behaviour_of(tx, charge.payment_method)
    is_first = not book.was_called(tx, "payment.authorize", charge)
    if is_first and behaviour.fails_first_call:
        return Outcome(problem(500, "Internal server error"), is_kept=False)
    if is_first and behaviour.loses_first_call:
        return Outcome(problem(504, "Gateway timeout"), is_kept=False, is_lost=True)
    payment_id = f"pay_{token_hex(12)}"
    if behaviour.challenges:
        payment = _challenge(tx, asked, payment_id, charge, return_url)
    else:
        made = payments.authorize(payment_id, charge, decline_code=behaviour.decline_code)
        payment = facts.begin(tx, asked, made)
    answer = json_answer(payment_shown(payment))
    return Outcome(answer, payment.id, behaviour, is_lost=behaviour.loses_answer)


def _challenge(
    tx: sqlite3.Connection, asked: Asked, id: str, charge: Charge, return_url: str | None
) -> Payment:
    key = token_urlsafe(CHALLENGE_KEY_BYTES)
    url = f"{asked.base_url}/3ds/{id}?key={key}"
    lasts_ms = asked.settings.challenge_ttl_s * clock.MS_PER_S
    expires_at = clock.rfc3339(asked.at_ms + lasts_ms)
    payment = payments.challenge(id, charge, NextAction(url, expires_at))
    return facts.begin(tx, asked, payment, Challenge(id, key, url, expires_at, return_url))


def capture(tx: sqlite3.Connection, asked: Asked, payment_id: str, amount_minor: int) -> Outcome:
    """Raises PaymentNotFound and what `payments.capture` raises."""
    return _changed(tx, asked, payments.capture(find(tx, payment_id), amount_minor))


def void(tx: sqlite3.Connection, asked: Asked, payment_id: str) -> Outcome:
    """Raises PaymentNotFound and what `payments.void` raises."""
    return _changed(tx, asked, payments.void(find(tx, payment_id)))


def refund(
    tx: sqlite3.Connection,
    asked: Asked,
    payment_id: str,
    amount_minor: int,
    reference: str | None = None,
) -> Outcome:
    """reference: the merchant's name for the refund.

    Raises PaymentNotFound and what `payments.refund` raises.
    """
    payment = payments.refund(find(tx, payment_id), amount_minor)
    at = book.moment(tx, asked.at_ms)
    made = Refund(f"re_{token_hex(12)}", payment_id, amount_minor, reference, at)
    payment = facts.change(tx, asked, payment, made)
    shown = {**refund_shown(made), "payment": payment_shown(payment)}
    return Outcome(json_answer(shown), payment_id)


def tokenize(
    tx: sqlite3.Connection, asked: Asked, card_number: str, *, is_expired: bool
) -> Outcome:
    """A token for a test card; keeps its brand and last four digits. Raises NotATestCard."""
    card = TEST_CARDS.get(card_number)
    if card is None:
        raise NotATestCard
    behaviour = "expired_card" if is_expired else card.behaviour
    token, last4 = f"pm_{token_hex(12)}", card_number[-4:]
    made_at = clock.rfc3339(asked.at_ms)
    book.add_token(tx, (token, behaviour, card.brand, last4, made_at))
    return Outcome(json_answer({"token": token, "brand": card.brand, "last4": last4}))


def find(tx: sqlite3.Connection, payment_id: str) -> Payment:
    """Raises PaymentNotFound."""
    payment = book.find_payment(tx, payment_id)
    if payment is None:
        raise PaymentNotFound(payment_id=payment_id)
    return payment


def find_answer(tx: sqlite3.Connection, key: str) -> dict[str, object]:
    """What was answered under `key`. Raises OperationNotFound: then nothing was carried out."""
    kept = book.kept_answer(tx, key)
    if kept is None:
        raise OperationNotFound
    return {
        "idempotency_key": key,
        "status_code": kept.answer.status,
        "body": orjson.loads(kept.answer.body),
    }


def _changed(tx: sqlite3.Connection, asked: Asked, payment: Payment) -> Outcome:
    changed = facts.change(tx, asked, payment)
    return Outcome(json_answer(payment_shown(changed)), changed.id)
