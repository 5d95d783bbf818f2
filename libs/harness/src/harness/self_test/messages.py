"""One message of every event type that running services consume, to every worker of theirs.

Each goes the way of a real event, by topic, filter and queue, into the worker's own consumer,
which acknowledges it by its attribute before it looks into it, and writes a line. No inbox, no
handler and no dead-letter queue sees it.
"""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.process.endpoints import Endpoints
from harness.self_test.failure import Failure
from harness.topology import messaging
from harness.topology.model import Topology

if TYPE_CHECKING:
    from mypy_boto3_sns.type_defs import PublishBatchRequestEntryTypeDef

# The attribute that marks a message, and the event of the line that acknowledges it
# (common.consumer).
ATTRIBUTE = "self_test"
ACKNOWLEDGED = "self_test_acknowledged"
# PublishBatch takes ten entries.
BATCH_SIZE = 10
# A worker that imports on a busy machine says nothing for a while; one with a backlog goes on
# writing, and is waited for.
QUIET_S = 20.0
# One that fails again and again goes on writing, too.
WITHIN_S = 60.0
# Lines appear a few milliseconds after the publication.
POLL_S = 0.01

REMAKE = (
    "Topics and queues may be spoilt: `cartwright down`, delete {home}/emulator and what waits "
    "there, `cartwright up`."
)


@dataclass
class Awaited:
    """What one worker has yet to acknowledge.

    types: event type -> its topic. log: read on from *position*, whole lines only.
    """

    service: str
    queue: str
    log: Path
    types: dict[str, str]
    position: int = field(init=False)

    def __post_init__(self) -> None:
        self.position = self.log.stat().st_size if self.log.exists() else 0

    def read(self, token: str) -> bool:
        """Whether the worker wrote anything since; takes from *types* what it acknowledged."""
        if not self.log.exists():
            return False
        with self.log.open("rb") as log:
            log.seek(self.position)
            lines, _, _ = log.read().rpartition(b"\n")
        self.position += len(lines) + bool(lines)
        for line in lines.splitlines():
            if ACKNOWLEDGED.encode() in line and token.encode() in line:
                self.types.pop(json.loads(line)["event_type"], None)
        return bool(lines)


def look(
    endpoints: Endpoints, topology: Topology, token: str, quiet_s: float = QUIET_S
) -> list[Failure]:
    """What did not arrive. quiet_s: given up when no awaited worker wrote a line for so long."""
    awaited = list(_awaited(endpoints, topology))
    _publish(endpoints, _types_by_topic(awaited), token)
    began = heard = time.monotonic()
    while any(one.types for one in awaited):
        now = time.monotonic()
        # A sum reads them all: one that has much to say must not hide another.
        if sum(one.read(token) for one in awaited if one.types):
            heard = now
        if now > min(heard + quiet_s, began + WITHIN_S):
            break
        time.sleep(POLL_S)
    return [_failure(endpoints, topology, one) for one in awaited if one.types]


def _awaited(endpoints: Endpoints, topology: Topology) -> Iterator[Awaited]:
    """Only event types whose consumers all run: another's message would lie on its queue."""
    running = endpoints.services.keys()
    for service in running:
        queue = topology.services[service].queue
        types = {
            event_type: topic
            for topic, event_types in (topology.queues[queue] if queue else {}).items()
            for event_type in event_types
            if topology.consumers[event_type] <= running
        }
        if queue and types:
            log = Path(endpoints.home) / "logs" / f"{service}-worker.log"
            yield Awaited(service, queue, log, types)


def _types_by_topic(awaited: list[Awaited]) -> dict[str, list[str]]:
    """Each event type once, whoever consumes it."""
    found: dict[str, list[str]] = {}
    for event_type, topic in {
        t: topic for one in awaited for t, topic in one.types.items()
    }.items():
        found.setdefault(topic, []).append(event_type)
    return found


def _publish(endpoints: Endpoints, types: Mapping[str, list[str]], token: str) -> None:
    sns = messaging.sns(endpoints.aws_endpoint_url)
    for topic, event_types in types.items():
        for start in range(0, len(event_types), BATCH_SIZE):
            batch = event_types[start : start + BATCH_SIZE]
            sns.publish_batch(
                TopicArn=endpoints.topic_arns[topic],
                PublishBatchRequestEntries=[_entry(n, t, token) for n, t in enumerate(batch)],
            )


def _entry(number: int, event_type: str, token: str) -> "PublishBatchRequestEntryTypeDef":
    attributes = {"event_type": event_type, ATTRIBUTE: token}
    return {
        "Id": str(number),
        "Message": json.dumps(attributes),
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    }


def _failure(endpoints: Endpoints, topology: Topology, one: Awaited) -> Failure:
    """Whose it is: a message on the queue is the worker's; one that is nowhere never came."""
    url = endpoints.queue_urls[one.queue]
    waiting = messaging.depths(endpoints.aws_endpoint_url, {one.queue: url})[one.queue].total
    missing = ", ".join(_missing(topology, one))
    if waiting:
        reason = f"did not take {missing} from {one.queue}, where {waiting} messages wait"
        return Failure(f"{one.service}-worker", reason)
    return Failure(
        "aws",
        f"did not deliver {missing} to {one.queue}",
        REMAKE.format(home=endpoints.home),
    )


def _missing(topology: Topology, one: Awaited) -> Iterator[str]:
    """By topic, whose name alone is enough where nothing of it came."""
    for topic, event_types in topology.queues[one.queue].items():
        missing = [event_type for event_type in event_types if event_type in one.types]
        if missing:
            whole = len(missing) == len(event_types)
            yield topic if whole else f"{', '.join(missing)} of {topic}"
