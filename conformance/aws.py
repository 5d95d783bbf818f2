"""Any SNS and SQS, and the words in which the tests speak of them. No test."""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from harness.eventually import eventually
from harness.topology import messaging
from harness.topology.messaging import REGION, Depth

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

# The longest long poll, and some time for its answer.
READ_TIMEOUT_S = 25
# A second of short visibility, a queue of AWS's that takes its time, and a busy machine.
ARRIVES_WITHIN_S = 20
# Short enough to wait for, long enough to look at what is hidden.
SHORT_VISIBILITY_S = 2
# LocalStack and our emulator take a twelve-digit access key for the account that it names.
OTHER_ACCOUNT = "111111111111"


@dataclass
class Aws:
    """Clients, and things to try them on that no other test has. Removes what it made."""

    endpoint_url: str | None
    sns: "SNSClient"
    sqs: "SQSClient"
    made: list[Callable[[], object]] = field(default_factory=list)

    @classmethod
    @contextmanager
    def reached(cls, endpoint_url: str | None, account: str = "test") -> Iterator["Aws"]:
        """endpoint_url: None is AWS itself, as whom the environment says."""
        settings = Config(
            connect_timeout=2,
            read_timeout=READ_TIMEOUT_S,
            retries={"total_max_attempts": 1},
            max_pool_connections=16,
        )
        session = (
            boto3.session.Session(account, "test", region_name=REGION)
            if endpoint_url
            else boto3.session.Session()
        )
        sns = session.client("sns", endpoint_url=endpoint_url, config=settings)
        sqs = session.client("sqs", endpoint_url=endpoint_url, config=settings)
        it = cls(endpoint_url, sns, sqs)
        try:
            yield it
        finally:
            it.clean()
            sns.close()
            sqs.close()

    @contextmanager
    def another_account(self) -> Iterator["Aws"]:
        if self.endpoint_url is None:
            pytest.skip("AWS is asked with one account's credentials only")
        with Aws.reached(self.endpoint_url, OTHER_ACCOUNT) as other:
            yield other

    def clean(self) -> None:
        for remove in reversed(self.made):
            try:
                remove()
            except self.sqs.exceptions.QueueDoesNotExist:
                continue  # The test did it itself.

    def queue(self, name: str = "", **attributes: str) -> str:
        """The URL of a new one."""
        created = self.sqs.create_queue(QueueName=name or unique_name(), Attributes=attributes)  # type: ignore[arg-type]
        url = created["QueueUrl"]
        self.made.append(lambda: self.sqs.delete_queue(QueueUrl=url))
        return url

    def topic(self) -> str:
        """The ARN of a new one."""
        arn = self.sns.create_topic(Name=unique_name())["TopicArn"]
        self.made.append(lambda: self.sns.delete_topic(TopicArn=arn))
        return arn

    def arn(self, queue_url: str) -> str:
        return self.attributes(queue_url, "QueueArn")["QueueArn"]

    def attributes(self, queue_url: str, *names: str) -> dict[str, str]:
        found = self.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=list(names))  # type: ignore[arg-type]
        return {str(name): value for name, value in found.get("Attributes", {}).items()}

    def subscribed(self, topic_arn: str, *event_types: str, dead_letters: str = "") -> str:
        """A queue that receives these event types raw, as the shop subscribes its own."""
        attributes = messaging.subscription_attributes(event_types, dead_letters)
        if not dead_letters:
            del attributes["RedrivePolicy"]
        return self.subscribed_by(topic_arn, attributes)

    def subscribed_by(self, topic_arn: str, attributes: dict[str, str]) -> str:
        """A queue that the topic may send to, subscribed with these attributes."""
        url = self.queue()
        self.allow(url, topic_arn)
        subscription = self.sns.subscribe(
            TopicArn=topic_arn,
            Protocol="sqs",
            Endpoint=self.arn(url),
            Attributes=attributes,
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]
        self.made.append(lambda: self.sns.unsubscribe(SubscriptionArn=subscription))
        return url

    def allow(self, queue_url: str, topic_arn: str) -> None:
        """AWS delivers nothing without this; the others do not look."""
        policy = {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": self.arn(queue_url),
                "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
            },
        }
        self.sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"Policy": json.dumps(policy)})

    def send(self, url: str, *bodies: str) -> None:
        for body in bodies:
            self.sqs.send_message(QueueUrl=url, MessageBody=body)

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

    def arrived(self, url: str, count: int = 1, **options: Any) -> "list[MessageTypeDef]":
        """So many messages, as soon as they are there: SNS delivers later than it answers, and SQS
        may answer with less than it has."""
        found: list[MessageTypeDef] = []

        def look() -> bool:
            found.extend(self.receive(url, **options))
            return len(found) >= count

        eventually(look, ARRIVES_WITHIN_S, f"{count} messages")
        return found

    def bodies(self, url: str, count: int = 1) -> list[str]:
        """Sorted: no order is promised."""
        return sorted(message["Body"] for message in self.arrived(url, count))

    def depth(self, url: str) -> Depth:
        return messaging.depths(self.endpoint_url, {"it": url})["it"]

    def settles_at(self, url: str, **expected: int) -> None:
        """The queue comes to hold so many messages; SQS counts approximately, and later."""
        wanted = Depth(**{"visible": 0, "in_flight": 0, "delayed": 0, **expected})
        eventually(
            lambda: self.depth(url) == wanted, ARRIVES_WITHIN_S, f"{wanted}, not {self.depth(url)}"
        )


def unique_name() -> str:
    return f"conformance-{uuid.uuid4().hex[:12]}"


def event_type(name: str = "order.placed") -> Any:
    return {"event_type": {"DataType": "String", "StringValue": name}}


def entries(bodies: list[str], body_key: str) -> list[Any]:
    return [
        {"Id": f"entry-{i}", body_key: body, "MessageAttributes": event_type()}
        for i, body in enumerate(bodies)
    ]


def eleven_attributes() -> Any:
    more = {f"more-{i}": {"DataType": "String", "StringValue": "x"} for i in range(10)}
    return {**event_type(), **more}


def code_of(call: Callable[[], object]) -> str:
    """The code with which the call is refused; empty if it is not.

    SQS changed its wire format in 2023: the same error is `X` or `AWS.SimpleQueueService.X`
    by the protocol that the client speaks. Ours is whatever boto3 makes of it.
    """
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"].rpartition(".")[2]
    return ""
