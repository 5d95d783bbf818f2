"""What our book and the provider's do not agree about: written down, counted, told once."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

import structlog
from common.errors import IllegalTransition
from common.metrics import meter
from sqlalchemy import Connection

from payment.domain import (
    RANK,
    TAKEN,
    AmountsDiffer,
    AnotherPayment,
    Fact,
    Payment,
    PaymentStatus,
    UnknownCharge,
)
from payment.store import books
from payment.store.books import Booked, Difference

log = structlog.get_logger()
_found = meter.create_counter("app.payment.differences", unit="{difference}")


class MissingAtProvider(IllegalTransition):
    """The provider does not know a payment that we have."""


KINDS: Final[Mapping[type[Exception], str]] = {
    UnknownCharge: "unknown_charge",
    AnotherPayment: "another_payment",
    AmountsDiffer: "amounts_differ",
    MissingAtProvider: "missing_at_provider",
}


def order_id_of(fact: Fact) -> str:
    """The order that a payment is for. Raises UnknownCharge: our references are orders' ids."""
    try:
        return str(UUID(fact.reference or ""))
    except ValueError as error:
        raise UnknownCharge("the provider has a payment that is for no order of ours") from error


def note(tx: Connection, about: str, order_id: str | None, error: Exception) -> None:
    """Keep for staff why what was told cannot be true of our book: one line a payment and kind,
    however often it is seen.

    about: the provider's id of the payment.
    """
    kind, detail = KINDS.get(type(error), "status_differs"), str(error)
    if books.note(tx, Difference(about, kind, detail, order_id, about)):
        _found.add(1, {"app.difference": kind})
        log.error(
            "books_differ", kind=kind, order_id=order_id, provider_payment_id=about, detail=detail
        )


def agree(ours: Booked, fact: Fact) -> bool:
    """As far as the provider says something."""
    payment, balance = ours.payment, ours.balance
    taken = fact.captured_minor if fact.status in TAKEN else None
    return all(
        theirs in {None, known}
        for known, theirs in (
            (payment.status, fact.status),
            (payment.provider_payment_id, fact.provider_payment_id),
            (payment.amount_minor, fact.amount_minor),
            (payment.currency, fact.currency),
            (balance.captured_minor, taken),
            (balance.refunded_minor, fact.refunded_minor),
        )
    )


def difference(ours: Booked, fact: Fact) -> IllegalTransition:
    """Between two that do not agree, in words for staff."""
    payment, made = ours.payment, ours.balance.refunded_minor
    if _has_same_status(payment, fact):
        return AmountsDiffer(f"we have given back {made}, the provider {fact.refunded_minor}")
    return IllegalTransition(f"payment {payment.id} is {payment.status}, there {fact.status}")


def _has_same_status(payment: Payment, fact: Fact) -> bool:
    ranks = {
        RANK[PaymentStatus.CAPTURED if status in TAKEN else status]
        for status in (payment.status, fact.status)
    }
    return len(ranks) == 1
