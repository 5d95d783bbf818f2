"""What our book and the provider's do not agree about: written down, counted, told once."""

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

MISSING = "missing_at_provider"
STATUS = "status_differs"


def order_id_of(fact: Fact) -> str:
    """The order that a payment is for. Raises UnknownCharge: our references are orders' ids."""
    try:
        return str(UUID(fact.reference or ""))
    except ValueError as error:
        raise UnknownCharge("the provider has a payment that is for no order of ours") from error


def note(tx: Connection, fact: Fact, error: IllegalTransition) -> None:
    """Keep that *fact* cannot be true of our book, for staff."""
    kind = STATUS
    for refusal, name in (
        (UnknownCharge, "unknown_charge"),
        (AnotherPayment, "another_payment"),
        (AmountsDiffer, "amounts_differ"),
    ):
        if isinstance(error, refusal):
            kind = name
    note_as(tx, kind, fact.provider_payment_id or "", fact.reference, str(error))


def note_as(tx: Connection, kind: str, about: str, order_id: str | None, detail: str) -> None:
    """One line a payment and kind, however often it is seen."""
    if books.note(tx, Difference(about, kind, detail, order_id, about)):
        _found.add(1, {"app.difference": kind})
        log.error(
            "books_differ", kind=kind, order_id=order_id, provider_payment_id=about, detail=detail
        )
