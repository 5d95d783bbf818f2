"""Dead letters: look at them with their reasons, and send them back to the queue they came from.

Receive, send, delete, in this order: whoever is killed in between leaves a message twice, which the
consumer's inbox refuses, and never loses one. SQS's own StartMessageMoveTask keeps no attribute
apart and not every emulator has it.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.topology import messaging

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef, MessageTypeDef

REASON = "dead_letter_reason"  # as python-common's consumer writes it
UNKNOWN_REASON = "moved by SQS after too many receives; the consumer's log says why"
AWS_DOMAIN = ".amazonaws.com"
# ReceiveMessage gives ten at the most.
BATCH_SIZE = 10
# Longer than showing or moving one batch takes; looking at a message hides it for so long.
HIDDEN_S = 5
# A short poll asks some of AWS's servers only, and may find nothing; the least that asks them all.
WAIT_S = 1
# A loop over a queue that grows as fast as it is emptied has to end.
MESSAGES_MAX = 10_000
MS_PER_S = 1000


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message that no consumer could handle. event_type: as its attribute says, or empty."""

    message_id: str
    event_type: str
    event_id: str
    reason: str
    body: str


def look(endpoint_url: str | None, dead_letter_queue_url: str) -> list[DeadLetter]:
    """What lies there, each message once; it is visible again after HIDDEN_S at the latest."""
    sqs = messaging.sqs(endpoint_url)
    found: dict[str, DeadLetter] = {}
    receipts: list[str] = []
    for message in receive(sqs, dead_letter_queue_url):
        if message["MessageId"] in found:
            break
        found[message["MessageId"]] = _read(message)
        receipts.append(message["ReceiptHandle"])
    release(sqs, dead_letter_queue_url, receipts)
    return list(found.values())


def redrive(
    endpoint_url: str | None, dead_letter_queue_url: str, queue_url: str
) -> Iterator[DeadLetter]:
    """Move every message back that lies there now, yielding each when it has arrived.

    The consumer gets it as a new message: with its attributes, without the reason, received
    for the first time. One that comes back meanwhile, because it still cannot be handled, stays:
    moved again and again it would keep both queues busy for nothing.
    """
    sqs, began = messaging.sqs(endpoint_url), time.time()
    late: list[str] = []
    for message in receive(sqs, dead_letter_queue_url):
        if _sent_at(message) > began:
            late.append(message["ReceiptHandle"])
            continue
        sqs.send_message(
            QueueUrl=queue_url,
            MessageBody=message["Body"],
            MessageAttributes=kept(message),
        )
        sqs.delete_message(QueueUrl=dead_letter_queue_url, ReceiptHandle=message["ReceiptHandle"])
        yield _read(message)
    release(sqs, dead_letter_queue_url, late)


def release(sqs: "SQSClient", url: str, receipts: Sequence[str]) -> None:
    """Let others see what was looked at.

    Refused entries are fine: of many, the first are visible again by themselves when the last one
    was looked at.
    """
    for start in range(0, len(receipts), BATCH_SIZE):
        sqs.change_message_visibility_batch(
            QueueUrl=url,
            Entries=[
                {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                for number, receipt in enumerate(receipts[start : start + BATCH_SIZE])
            ],
        )


def receive(sqs: "SQSClient", url: str) -> "Iterator[MessageTypeDef]":
    """Every message once, in batches, hidden for HIDDEN_S; its reader deletes or leaves it."""
    received = 0
    while received < MESSAGES_MAX:
        answer = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=BATCH_SIZE,
            VisibilityTimeout=HIDDEN_S,
            WaitTimeSeconds=WAIT_S if sqs.meta.endpoint_url.endswith(AWS_DOMAIN) else 0,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["SentTimestamp"],
        )
        messages = answer.get("Messages", [])
        if not messages:
            return
        received += len(messages)
        yield from messages


def _sent_at(message: "MessageTypeDef") -> float:
    """When it came into the queue, in seconds since the epoch, by SQS's clock."""
    return int(message["Attributes"]["SentTimestamp"]) / MS_PER_S


def kept(message: "MessageTypeDef") -> "dict[str, MessageAttributeValueTypeDef]":
    """The attributes that its sender gave it."""
    return {
        name: {"DataType": value["DataType"], "StringValue": value["StringValue"]}
        for name, value in message.get("MessageAttributes", {}).items()
        if name != REASON and "StringValue" in value
    }


def _read(message: "MessageTypeDef") -> DeadLetter:
    attributes = {
        name: value.get("StringValue", "")
        for name, value in message.get("MessageAttributes", {}).items()
    }
    return DeadLetter(
        message_id=message["MessageId"],
        event_type=attributes.get("event_type", ""),
        event_id=attributes.get("event_id", ""),
        reason=attributes.get(REASON, UNKNOWN_REASON),
        body=message["Body"],
    )
