"""Any SNS and SQS for the conformance tests, and the words they use. No test.

To hold another server to them, add how to start it to PROVIDERS.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from harness import messaging
from harness.eventually import eventually
from harness.messaging import Depth
from harness.providers import emulator
from harness.providers.temporary_emulator import temporary_emulator

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

REPO = Path(__file__).parents[3]
# The longest long poll, and some time for its answer.
READ_TIMEOUT_S = 25
# A second of short visibility, and time for a busy machine.
ARRIVES_WITHIN_S = 10


@contextmanager
def embedded(folder: Path) -> Iterator[str]:
    env_dir = emulator.install(REPO, REPO / ".cartwright", emulator.find_uv())
    with temporary_emulator(REPO, env_dir, folder) as running:
        yield running.endpoint_url


PROVIDERS: Mapping[str, Callable[[Path], AbstractContextManager[str]]] = {"embedded": embedded}


@dataclass(frozen=True)
class Aws:
    """Clients, and things to try them on that no other test has."""

    endpoint_url: str
    sns: "SNSClient"
    sqs: "SQSClient"

    def queue(self, **attributes: str) -> str:
        created = self.sqs.create_queue(QueueName=_name(), Attributes=attributes)  # type: ignore[arg-type]
        return created["QueueUrl"]

    def topic(self) -> str:
        return self.sns.create_topic(Name=_name())["TopicArn"]

    def arn(self, queue_url: str) -> str:
        found = self.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
        return found["Attributes"]["QueueArn"]

    def subscribed(self, topic_arn: str, *event_types: str, dead_letters: str = "") -> str:
        """A queue that receives these event types raw."""
        url = self.queue()
        attributes = messaging.subscription_attributes(event_types, dead_letters)
        if not dead_letters:
            del attributes["RedrivePolicy"]
        self.sns.subscribe(
            TopicArn=topic_arn, Protocol="sqs", Endpoint=self.arn(url), Attributes=attributes
        )
        return url

    def receive(self, url: str, limit: int = 10, **options: Any) -> "list[MessageTypeDef]":
        """One look at the queue, which does not wait."""
        options.setdefault("WaitTimeSeconds", 0)
        answer = self.sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=limit,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
            **options,
        )
        return answer.get("Messages", [])

    def arrived(self, url: str, count: int = 1) -> "list[MessageTypeDef]":
        """So many messages, as soon as they are there: SNS delivers later than it answers, and SQS
        may answer with less than it has."""
        found: list[MessageTypeDef] = []

        def look() -> bool:
            found.extend(self.receive(url))
            return len(found) >= count

        eventually(look, ARRIVES_WITHIN_S, f"{count} messages")
        return found

    def bodies(self, url: str, count: int = 1) -> list[str]:
        return sorted(message["Body"] for message in self.arrived(url, count))

    def depth(self, url: str) -> Depth:
        return messaging.depths(self.endpoint_url, {"it": url})["it"]


def _name() -> str:
    return f"conformance-{uuid.uuid4().hex[:12]}"


@contextmanager
def provided(provider: str, folder: Path) -> Iterator[Aws]:
    """The named provider's SNS and SQS, for as long as the block runs."""
    settings = Config(
        connect_timeout=2,
        read_timeout=READ_TIMEOUT_S,
        retries={"total_max_attempts": 1},
        max_pool_connections=16,
    )
    with PROVIDERS[provider](folder) as endpoint_url:
        session = boto3.session.Session("test", "test", region_name="us-east-1")
        sns = session.client("sns", endpoint_url=endpoint_url, config=settings)
        sqs = session.client("sqs", endpoint_url=endpoint_url, config=settings)
        yield Aws(endpoint_url, sns, sqs)


def event_type(name: str) -> Any:
    return {"event_type": {"DataType": "String", "StringValue": name}}


def entries(bodies: list[str], body_key: str) -> list[Any]:
    return [
        {"Id": f"entry-{i}", body_key: body, "MessageAttributes": event_type("order.placed")}
        for i, body in enumerate(bodies)
    ]


def eleven_attributes() -> Any:
    more = {f"more-{i}": {"DataType": "String", "StringValue": "x"} for i in range(10)}
    return {**event_type("order.placed"), **more}
