"""What our book and the provider's do not agree about: written down, counted, told once."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

import structlog
from common.errors import IllegalTransition
from common.metrics import meter
from sqlalchemy import Connection

from payment.domain import AmountsDiffer, AnotherPayment, Fact, UnknownCharge
from payment.store import books
from payment.store.books import Difference

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
