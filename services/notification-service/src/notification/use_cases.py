"""What the notification service does: one function per use case, in the caller's transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from common import tracing
from common.events import Event, publish
from common.ids import new_id
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from sqlalchemy import Connection

from notification import domain, store
from notification.domain import (
    CancelledOrder,
    ConfirmedOrder,
    Kind,
    Message,
    Outcome,
    Sent,
    State,
)

# Small enough that a crash repeats little, large enough that two transactions for it are cheap.
BATCH_SIZE = 20
# A worker begins no mail after this long, so that the slowest one (six exchanges of 3 s each)
# still ends within the lease, before another worker takes the same messages.
SENDING_BUDGET = timedelta(seconds=6)
# So long the mails of a worker that crashed wait for another.
LEASE = timedelta(seconds=25)

log = structlog.get_logger()

# Names of products and people are not ours: what goes into HTML is escaped.
_templates = Environment(
    loader=PackageLoader("notification"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    auto_reload=False,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def confirm_order(tx: Connection, order: ConfirmedOrder, now: datetime) -> None:
    """Queue the confirmation, unless the order has one already."""
    subject = f"Your order {order.id} is confirmed"
    _queue(tx, Kind.ORDER_CONFIRMATION, order, subject, now, lines=order.lines)


def cancel_order(tx: Connection, order: CancelledOrder, now: datetime) -> None:
    """Queue the cancellation, unless the order has one already."""
    subject = f"Your order {order.id} is cancelled"
    reason = domain.cancellation_sentence(order.reason)
    _queue(tx, Kind.ORDER_CANCELLATION, order, subject, now, reason=reason)


def read_messages(tx: Connection, order_id: str) -> list[Message]:
    """The messages about an order, oldest first; none about one that is not known here."""
    return store.of_order(tx, order_id)


def claim_due(tx: Connection, now: datetime) -> list[Message]:
    """Messages to send now, outside any transaction; theirs who claims them for LEASE."""
    return store.claim(tx, now=now, until=now + LEASE, limit=BATCH_SIZE)


def record_outcomes(
    tx: Connection, claimed: Sequence[Message], outcomes: Mapping[str, Outcome], now: datetime
) -> None:
    """Write down what became of the *claimed*. outcomes: by message id; none if not tried.

    Publishes notification.sent, in the trace of each mail.
    """
    sent: dict[str, tuple[Message, Sent]] = {}
    for message in claimed:
        match outcomes.get(message.id):
            case None:
                pass  # Below.
            case Sent() as outcome:
                sent[message.id] = (message, outcome)
            case outcome:
                verdict = domain.judge(message, outcome, now)
                store.postpone(tx, message.id, verdict)
                log.warning(
                    "mail_not_sent",
                    order_id=message.order_id,
                    kind=message.kind,
                    state=verdict.state,
                    attempts=verdict.attempts,
                    error=verdict.last_error,
                )
    untried = [message.id for message in claimed if message.id not in outcomes]
    if untried:
        store.give_back(tx, untried, now)
    if sent:
        new = store.mark_sent(tx, list(sent), now)
        publish(tx, *(_sent_event(*sent[message_id]) for message_id in sent if message_id in new))


def _queue(
    tx: Connection,
    kind: Kind,
    order: ConfirmedOrder | CancelledOrder,
    subject: str,
    now: datetime,
    **values: object,
) -> None:
    """Queued; or failed at once and visible, if no mail server could know the recipient."""
    values |= {"order": order, "subject": subject}
    can_be_sent = domain.is_address(order.email)
    message = Message(
        id=new_id(),
        order_id=order.id,
        kind=kind,
        recipient=order.email,
        subject=subject,
        text=_templates.get_template(f"{kind}.txt").render(values),
        html=_templates.get_template(f"{kind}.html").render(values),
        created_at=now,
        state=State.QUEUED if can_be_sent else State.FAILED,
        last_error=None if can_be_sent else "the recipient is not an e-mail address",
        traceparent=tracing.current_traceparent(),
    )
    if not store.add(tx, message):
        log.info("message_known", order_id=order.id, kind=kind)


def _sent_event(message: Message, outcome: Sent) -> Event:
    data = {
        "order_id": message.order_id,
        "kind": message.kind.value,
        "message_id": message.message_id,
    }
    return Event("notification.sent", message.order_id, data, traceparent=outcome.traceparent)
