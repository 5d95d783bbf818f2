"""An SQS queue in memory, so that tests run the real consumer without a server."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from common import consumer
from common.consumer import Handler, Prepare, Queue
from common.db import Database
from common.events import Event
from common.testing.contracts import hold_to_contract

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

INBOX = "https://queue.example/inbox"
DEAD_LETTERS = "https://queue.example/inbox-dlq"


@dataclass(slots=True)
class FakeSqs:
    """The five calls the consumer makes, over a list. Nothing becomes invisible.

    A message stays until it is deleted, and its receive count grows with every receive.
    """

    bodies: list[str]
    dead: list[tuple[str, str]] = field(default_factory=list)  # (body, reason)
    kept_hidden: list[list[str]] = field(default_factory=list)  # Receipts, a call each.
    _receives: dict[int, int] = field(default_factory=dict)
    _deleted: set[int] = field(default_factory=set)

    @property
    def left(self) -> list[str]:
        return [body for n, body in enumerate(self.bodies) if n not in self._deleted]

    def receive_message(self, **_: Any) -> dict[str, Any]:
        messages: list[dict[str, Any]] = []
        for number, body in enumerate(self.bodies):
            if number in self._deleted or len(messages) == consumer.BATCH_SIZE:
                continue
            self._receives[number] = self._receives.get(number, 0) + 1
            messages.append(
                {
                    "Body": body,
                    "ReceiptHandle": str(number),
                    "Attributes": {"ApproximateReceiveCount": str(self._receives[number])},
                }
            )
        return {"Messages": messages}

    def change_message_visibility_batch(self, **request: Any) -> dict[str, Any]:
        self.kept_hidden.append([entry["ReceiptHandle"] for entry in request["Entries"]])
        return {}

    def send_message(self, **request: Any) -> dict[str, Any]:
        reason = request["MessageAttributes"]["dead_letter_reason"]["StringValue"]
        self.dead.append((request["MessageBody"], reason))
        return {}

    def delete_message(self, **request: Any) -> dict[str, Any]:
        self._deleted.add(int(request["ReceiptHandle"]))
        return {}

    def delete_message_batch(self, **request: Any) -> dict[str, Any]:
        self._deleted.update(int(entry["ReceiptHandle"]) for entry in request["Entries"])
        return {}


@dataclass(frozen=True, slots=True)
class Outcome:
    """left: bodies still on the queue. dead: (body, reason) of the dead-lettered."""

    left: list[str]
    dead: list[tuple[str, str]]


def deliver(
    db: Database,
    handlers: Mapping[str, Handler],
    *messages: Event | str,
    receives: int = 1,
    prepare: Prepare = consumer.no_preparation,
) -> Outcome:
    """Run the real consumer over *messages* until the queue is empty or was asked *receives* times.

    A `str` is a raw body, for what is malformed. Raises OffContract if an event was handled that
    its producer does not promise in this form: a test of what never comes proves nothing.
    """
    bodies = [m if isinstance(m, str) else m.to_json("test") for m in messages]
    sqs = FakeSqs(bodies)
    queue = Queue(cast("SQSClient", sqs), INBOX, DEAD_LETTERS, wait_s=0)
    for _ in range(receives):
        while consumer.run_once(queue, handlers, db, prepare) == consumer.BATCH_SIZE and sqs.left:
            continue
    dead = {body for body, _ in sqs.dead}
    for message, body in zip(messages, bodies, strict=True):
        if isinstance(message, Event) and body not in dead:
            hold_to_contract(message)
    return Outcome(sqs.left, sqs.dead)
