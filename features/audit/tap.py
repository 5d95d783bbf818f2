"""Hears every event that the shop publishes, beside the services that it is meant for."""

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import boto3
from harness import stack
from harness.audit.canaries import Passage
from harness.process.endpoints import Endpoints
from harness.topology import messaging

# ReceiveMessage gives ten at the most.
BATCH_SIZE = 10
CREDENTIALS = {
    "aws_access_key_id": "test",
    "aws_secret_access_key": "test",  # The emulator takes any.
}


@dataclass(frozen=True, slots=True)
class Tap:
    """A queue of its own, subscribed to every topic without a filter."""

    endpoints: Endpoints
    url: str
    publishers: Mapping[str, str]  # Topics, by the type of event.

    def passages(self) -> Iterator[Passage]:
        """What has come since it was asked last: bodies with their attributes."""
        sqs = messaging.sqs(self.endpoints.aws_endpoint_url)
        while messages := sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=BATCH_SIZE, MessageAttributeNames=["All"]
        ).get("Messages", []):
            for message in messages:
                event_type = json.loads(message["Body"])["type"]
                text = f"{message['Body']} {message.get('MessageAttributes', {})}"
                yield Passage(f"event of {self.publishers[event_type]}", event_type, text)
                sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])


@contextmanager
def tapped(endpoints: Endpoints) -> Iterator[Tap]:
    sqs = messaging.sqs(endpoints.aws_endpoint_url)
    sns = boto3.client(
        "sns",
        endpoint_url=endpoints.aws_endpoint_url,
        region_name=messaging.REGION,
        **CREDENTIALS,
    )
    url = sqs.create_queue(QueueName=f"tap-{uuid.uuid4().hex}")["QueueUrl"]
    asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn = asked["Attributes"]["QueueArn"]
    subscriptions = [
        sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=arn,
            Attributes={"RawMessageDelivery": "true"},
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]
        for topic in endpoints.topic_arns.values()
    ]
    try:
        yield Tap(endpoints, url, _publishers())
    finally:
        for subscription in subscriptions:
            sns.unsubscribe(SubscriptionArn=subscription)
        sqs.delete_queue(QueueUrl=url)


def _publishers() -> dict[str, str]:
    shop = stack.topology()
    return {event_type: topic for topic, types in shop.topics.items() for event_type in types}
