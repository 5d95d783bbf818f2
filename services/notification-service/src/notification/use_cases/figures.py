"""What is counted, and told to others, when a mail is sent or given up."""

from datetime import datetime

import structlog
from common.events import Event, publish
from common.metrics import meter
from sqlalchemy import Connection

from notification.domain.delivery import Sent
from notification.domain.messages import Message, Reason

log = structlog.get_logger()

_sent = meter.create_counter("app.mails.sent", "{mail}", "Taken by the mail server, by kind.")
_failed = meter.create_counter("app.mails.failed", "{mail}", "Given up or held back, by reason.")
_delivery = meter.create_histogram("app.mail.delivery_duration", "s", "From the fact to sent.")


def tell_sent(tx: Connection, message: Message, outcome: Sent, now: datetime) -> None:
    """Publishes notification.sent, in the trace of the mail, once a message about an order."""
    _sent.add(1, {"app.mail.kind": message.kind})
    if message.resends == 0:  # A resend is as late as staff are.
        waited_s = (now - message.created_at).total_seconds()
        _delivery.record(waited_s, {"app.mail.kind": message.kind})
    if message.order_id is None or message.first_sent_at is not None:
        return
    data = {
        "order_id": message.order_id,
        "kind": message.kind.value,
        "message_id": message.message_id,
    }
    publish(tx, Event("notification.sent", message.order_id, data, traceparent=outcome.traceparent))


def tell_failed(tx: Connection, message: Message, reason: Reason) -> None:
    """Publishes notification.failed: nobody will try again but when staff ask for it."""
    _failed.add(1, {"app.mail.kind": message.kind, "app.mail.reason": reason})
    log.error(
        "mail_failed",
        id=message.id,
        order_id=message.order_id,
        kind=message.kind,
        reason=reason,
    )
    data = {
        "id": message.id,
        "kind": message.kind.value,
        "reason": reason.value,
        "order_id": message.order_id,
        "customer_id": message.customer_id,
    }
    subject = message.order_id or message.fact
    publish(tx, Event("notification.failed", subject, data, traceparent=message.traceparent))


def count_unwanted(message: Message, reason: Reason) -> None:
    _failed.add(1, {"app.mail.kind": message.kind, "app.mail.reason": reason})
    log.info(
        "mail_not_wanted",
        id=message.id,
        order_id=message.order_id,
        kind=message.kind,
        reason=reason,
    )
