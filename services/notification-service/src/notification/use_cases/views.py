"""What staff and owners ask about messages, and what staff do about those that did not arrive."""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

import structlog
from sqlalchemy import Connection

from notification.domain.messages import (
    AddressSuppressed,
    Message,
    MessageNotFound,
    NothingWritten,
    Suppression,
    SuppressionNotFound,
    Wanted,
    check_resendable,
)
from notification.store import messages, suppressions

log = structlog.get_logger()

Item = TypeVar("Item", Message, Suppression)


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """next_before: what the page after this one begins behind; None on the last."""

    items: list[Item]
    next_before: str | None


def read_messages(tx: Connection, order_id: str, customer_id: str | None = None) -> list[Message]:
    """The messages about an order, oldest first. customer_id: whose they must be; None for staff,
    who get none of an order that is not known here.

    Raises NothingWritten.
    """
    found = messages.of_order(tx, order_id, customer_id)
    if customer_id is not None and not found:
        raise NothingWritten(order_id=order_id)
    return found


def list_messages(tx: Connection, wanted: Wanted, before: str | None, limit: int) -> Page[Message]:
    """Newest first, without their bodies."""
    return _page(messages.page(tx, wanted, before, limit + 1), limit)


def read_message(tx: Connection, message_id: str) -> Message:
    """Raises MessageNotFound."""
    found = messages.find(tx, message_id)
    if found is None:
        raise MessageNotFound(id=message_id)
    return found


def resend(tx: Connection, message_id: str, now: datetime) -> Message:
    """Queue the same mail again: same words, same Message-ID, a fresh count of attempts.

    Raises MessageNotFound, NotResendable, AddressSuppressed.
    """
    found = messages.find(tx, message_id, lock=True)
    if found is None:
        raise MessageNotFound(id=message_id)
    check_resendable(found)
    if suppressions.among(tx, [found.recipient]):
        raise AddressSuppressed("delete its suppression first", id=message_id)
    log.info("mail_resent", id=found.id, order_id=found.order_id, kind=found.kind)
    return messages.queue_again(tx, message_id, now)


def list_suppressions(
    tx: Connection, address: str | None, before: str | None, limit: int
) -> Page[Suppression]:
    """Newest first."""
    return _page(suppressions.page(tx, address, before, limit + 1), limit)


def lift_suppression(tx: Connection, suppression_id: str) -> None:
    """From now on its address is written to again; what was held back stays so until resent.

    Raises SuppressionNotFound.
    """
    if not suppressions.remove(tx, suppression_id):
        raise SuppressionNotFound(id=suppression_id)
    log.info("suppression_lifted", id=suppression_id)


def _page(found: list[Item], limit: int) -> Page[Item]:
    """found: one more than *limit*, if there are more."""
    items = found[:limit]
    return Page(items, items[-1].id if len(found) > limit else None)
