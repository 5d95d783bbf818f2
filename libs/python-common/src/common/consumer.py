"""From SQS to a handler: effects exactly once, a whole batch in one transaction.

A message leaves the queue only after the commit of its effect. One that cannot be handled
ends in the dead-letter queue with its reason; nothing is ever dropped.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from opentelemetry import trace
from opentelemetry.trace import Span
from pydantic import ValidationError
from sqlalchemy import Connection

from common import metrics, tracing
from common.db import Database, is_away
from common.errors import IllegalTransition
from common.events import Event, MalformedEvent, faults_of, first_deliveries, parse

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef, MessageTypeDef

# ReceiveMessage gives ten at the most.
BATCH_SIZE = 10
# As infra/topology.yaml's max_receive_count: at this failed receive we move it ourselves,
# because SQS's own redrive would not write down why.
RECEIVES_MAX = 5
# As infra/topology.yaml's visibility_timeout_s: longer than the one transaction of a batch may
# take; hardly longer, because what a killed worker had received waits for it.
VISIBILITY_S = 15
# Marks a message by which whoever starts the shop finds out whether events arrive (ADR-0022).
SELF_TEST = "self_test"
# SQS attribute values may be long; a reason need not be.
REASON_CHARS_MAX = 500

# What no redelivery mends: a forbidden step, or data that is not of the event's schema.
NEVER_HANDLEABLE = (IllegalTransition, MalformedEvent, ValidationError)

log = structlog.get_logger()

_handled = metrics.meter.create_counter(
    "app.events.handled", "{delivery}", "Deliveries of events, by type and effect."
)
_process_duration = metrics.meter.create_histogram(
    "messaging.process.duration", "s", "Of one event's handler."
)
_buried = metrics.meter.create_counter("app.events.dead_lettered", "{message}")

Handler = Callable[[Connection, Event], None]
# Called once a transaction, before the handlers, with the events they will get: the place to take
# all locks of a batch in one order. What it raises is as if a handler had raised it.
Prepare = Callable[[Connection, Sequence[Event]], None]


def no_preparation(_tx: Connection, _events: Sequence[Event]) -> None:
    """For handlers that change one row each, or wait for nobody."""


class UnknownEventType(Exception):
    """The queue's filter let through what no handler is named for."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One received message that is an event of ours."""

    message: "MessageTypeDef"
    event: Event

    @property
    def receipt(self) -> str:
        return self.message["ReceiptHandle"]

    @property
    def receives(self) -> int:
        return int(self.message.get("Attributes", {}).get("ApproximateReceiveCount", "1"))


@dataclass(frozen=True, slots=True)
class Queue:
    """The service's queue and where its unhandleable messages go."""

    sqs: "SQSClient"
    url: str
    dead_letter_url: str
    wait_s: int

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]


def run_once(
    queue: Queue,
    handlers: Mapping[str, Handler],
    db: Database,
    prepare: Prepare = no_preparation,
) -> int:
    """Receive and handle one batch; return how many messages are done with.

    Raises botocore's errors when the queue does not answer and SQLAlchemy's when the
    database does not; then nothing is deleted and SQS delivers again. Ask the database before
    the next one: each receive counts against a message, whoever is to blame.
    """
    answer = queue.sqs.receive_message(
        QueueUrl=queue.url,
        MaxNumberOfMessages=BATCH_SIZE,
        WaitTimeSeconds=queue.wait_s,
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["ApproximateReceiveCount"],
    )
    messages = answer.get("Messages", [])
    deliveries = [delivery for message in messages if (delivery := _read(queue, handlers, message))]
    done = _handle(queue, handlers, db, deliveries, prepare) if deliveries else []
    _delete(queue, done)
    return len(messages) - len(deliveries) + len(done)


def _read(
    queue: Queue, handlers: Mapping[str, Handler], message: "MessageTypeDef"
) -> Delivery | None:
    if SELF_TEST in message.get("MessageAttributes", {}):
        _acknowledge(queue, message)
        return None
    try:
        event = parse(message.get("Body", ""))
        if event.type not in handlers:
            raise UnknownEventType(f"no handler for {event.type}")
    except (MalformedEvent, UnknownEventType) as error:
        _bury(queue, message, error)
        return None
    return Delivery(message, event)


def _acknowledge(queue: Queue, message: "MessageTypeDef") -> None:
    """Tell that a self-test's message arrived. It is no event: nothing else comes of it."""
    queue.sqs.delete_message(QueueUrl=queue.url, ReceiptHandle=message["ReceiptHandle"])
    told = {
        name: attribute.get("StringValue")
        for name, attribute in message.get("MessageAttributes", {}).items()
        if name in {SELF_TEST, "event_type"}
    }
    log.info("self_test_acknowledged", queue=queue.name, **told)


def _handle(
    queue: Queue,
    handlers: Mapping[str, Handler],
    db: Database,
    deliveries: Sequence[Delivery],
    prepare: Prepare,
) -> list[Delivery]:
    """The deliveries that are done with: those handled, now or before.

    Raises SQLAlchemy's errors when the database is away: that is no message's fault.
    """
    try:
        _handle_together(queue, handlers, db, deliveries, prepare)
    except Exception as error:  # Whatever else it is, one by one finds whose it is.
        if is_away(error):
            raise
        if len(deliveries) == 1:
            return _failed(queue, deliveries[0], error)
        log.info("batch_split", size=len(deliveries), error=type(error).__name__)
        all_done = []
        for number, delivery in enumerate(deliveries):
            _keep_hidden(queue, deliveries[number:])
            all_done += _handle(queue, handlers, db, [delivery], prepare)
        return all_done
    return list(deliveries)


def _keep_hidden(queue: Queue, deliveries: Sequence[Delivery]) -> None:
    """Have nobody else receive them, from now on for as long as a message that was just received.

    One that slipped away comes twice, which is harmless.
    """
    queue.sqs.change_message_visibility_batch(
        QueueUrl=queue.url,
        Entries=[
            {
                "Id": str(number),
                "ReceiptHandle": delivery.receipt,
                "VisibilityTimeout": VISIBILITY_S,
            }
            for number, delivery in enumerate(deliveries)
        ],
    )


def _handle_together(
    queue: Queue,
    handlers: Mapping[str, Handler],
    db: Database,
    deliveries: Sequence[Delivery],
    prepare: Prepare,
) -> None:
    """One transaction for all; their spans end with it, so that they tell what became of it."""
    told: list[tuple[Span, str]] = []
    try:
        with db.transaction() as tx:
            events = {delivery.event.id: delivery.event for delivery in deliveries}
            new = first_deliveries(tx, events.values())
            if new:
                prepare(tx, [event for event in events.values() if event.id in new])
            for delivery in deliveries:
                event = delivery.event
                span = tracing.start_process_span(
                    event.type, event.id, queue.name, _traceparent(delivery)
                )
                told.append((span, "applied" if event.id in new else "duplicate"))
                with trace.use_span(span, end_on_exit=False):
                    if event.id in new:
                        new.discard(event.id)  # The same message may come twice in one batch.
                        began = time.perf_counter()
                        handlers[event.type](tx, event)
                        _process_duration.record(
                            time.perf_counter() - began, {"app.event.type": event.type}
                        )
    except Exception:
        told = [(span, "rolled_back") for span, _ in told]
        raise
    finally:
        for delivery, (span, effect) in zip(deliveries, told, strict=False):
            event = delivery.event
            _handled.add(1, {"app.event.type": event.type, "app.effect": effect})
            if effect == "applied":
                with trace.use_span(span, end_on_exit=False):
                    log.info("event_handled", event_type=event.type, subject=event.subject)
            span.set_attribute("app.effect", effect)
            span.end()


def _traceparent(delivery: Delivery) -> str | None:
    attribute = delivery.message.get("MessageAttributes", {}).get("traceparent")
    return attribute.get("StringValue") if attribute else delivery.event.traceparent


def _failed(queue: Queue, delivery: Delivery, error: Exception) -> list[Delivery]:
    event = delivery.event
    if isinstance(error, NEVER_HANDLEABLE) or delivery.receives >= RECEIVES_MAX:
        _bury(queue, delivery.message, error)
        return []
    log.warning(
        "event_failed",
        event_type=event.type,
        event_id=event.id,
        subject=event.subject,
        receives=delivery.receives,
        exc_info=error,
    )
    return []


def _bury(queue: Queue, message: "MessageTypeDef", error: Exception) -> None:
    """Move *message* to the dead-letter queue, with its attributes and the reason."""
    reason = f"{type(error).__name__}: {_words(error)}"[:REASON_CHARS_MAX]
    kept: dict[str, MessageAttributeValueTypeDef] = {
        name: {"DataType": value["DataType"], "StringValue": value["StringValue"]}
        for name, value in message.get("MessageAttributes", {}).items()
        if "StringValue" in value
    }
    kept["dead_letter_reason"] = {"DataType": "String", "StringValue": reason}
    queue.sqs.send_message(
        QueueUrl=queue.dead_letter_url,
        MessageBody=message.get("Body") or "(empty)",
        MessageAttributes=kept,
    )
    queue.sqs.delete_message(QueueUrl=queue.url, ReceiptHandle=message["ReceiptHandle"])
    _buried.add(1, {"messaging.destination.name": queue.name})
    log.error("message_dead_lettered", queue=queue.name, reason=reason, exc_info=error)
    trace.get_current_span().set_attribute("app.dead_letter_reason", reason)


def _words(error: Exception) -> str:
    """What is wrong, without the values that were: they may be somebody's data."""
    return faults_of(error) if isinstance(error, ValidationError) else str(error)


def _delete(queue: Queue, done: Sequence[Delivery]) -> None:
    """Acknowledge. A failure here means one harmless redelivery."""
    if not done:
        return
    answer = queue.sqs.delete_message_batch(
        QueueUrl=queue.url,
        Entries=[
            {"Id": str(number), "ReceiptHandle": delivery.receipt}
            for number, delivery in enumerate(done)
        ],
    )
    for failure in answer.get("Failed", []):
        log.warning("delete_failed", queue=queue.name, code=failure.get("Code"))
