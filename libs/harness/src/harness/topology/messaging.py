"""Create the topology's topics, queues and subscriptions on any SNS and SQS, and count messages.

Sends, receives and deletes no message. infra/localstack/init-aws.py takes its attributes from here.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from harness.topology.model import Topology

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

REGION = "us-east-1"
# The emulator answers within milliseconds; this also covers one that is just starting.
CONNECT_TIMEOUT_S = 2
# Longer than anything asked here takes, far shorter than a suite that hangs.
READ_TIMEOUT_S = 10
# Creating is idempotent, so a lost answer is simply asked for again.
MAX_ATTEMPTS = 3
# Calls at a time: they wait for the emulator's single thread, so more do not help.
CONCURRENCY = 8

_COUNTS: "list[QueueAttributeNameType]" = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
]


@dataclass(frozen=True)
class Messaging:
    """What was created, by the topology's names: as the server named it, never composed here."""

    endpoint_url: str | None
    topic_arns: Mapping[str, str]
    queue_urls: Mapping[str, str]
    queue_arns: Mapping[str, str]
    # By the name of the queue they serve.
    dead_letter_queue_urls: Mapping[str, str]
    dead_letter_queue_arns: Mapping[str, str]


@dataclass(frozen=True)
class Depth:
    """How many messages a queue holds; on AWS approximately, within a minute of the truth."""

    visible: int
    in_flight: int
    delayed: int

    @property
    def total(self) -> int:
        return self.visible + self.in_flight + self.delayed


def create(topology: Topology, endpoint_url: str | None, region: str = REGION) -> Messaging:
    """Create or correct every topic, queue, dead-letter queue and subscription of the topology.

    `endpoint_url` None means AWS itself, with the credentials of the environment; there a queue
    needs a policy, besides, that lets its topic in, which is not written here. Repeating it
    changes nothing. A subscription of these queues that the topology no longer has is removed.
    """
    sns, sqs = _sns(endpoint_url, region), _sqs(endpoint_url, region)
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        topic_arns = pool.map(lambda name: sns.create_topic(Name=name)["TopicArn"], topology.topics)
        dead_letters = _dead_letter_queues(pool, sqs, topology)
        queues = _queues(pool, sqs, topology, dead_letters)
        messaging = Messaging(
            endpoint_url=endpoint_url,
            topic_arns=dict(zip(topology.topics, topic_arns, strict=True)),
            queue_urls={name: queue.url for name, queue in queues.items()},
            queue_arns={name: queue.arn for name, queue in queues.items()},
            dead_letter_queue_urls={name: queue.url for name, queue in dead_letters.items()},
            dead_letter_queue_arns={name: queue.arn for name, queue in dead_letters.items()},
        )
        _all(pool, lambda topic: _subscribe(sns, topology, messaging, topic), topology.topics)
    return messaging


def depths(
    endpoint_url: str | None, queue_urls: Mapping[str, str], region: str = REGION
) -> dict[str, Depth]:
    """How many messages each queue holds, under the same names."""
    sqs = _sqs(endpoint_url, region)
    return {name: _depth(sqs, url) for name, url in queue_urls.items()}


def queue_attributes(
    topology: Topology, dead_letter_arn: str
) -> "dict[QueueAttributeNameType, str]":
    defaults = topology.queue_defaults
    return {
        "VisibilityTimeout": str(defaults.visibility_timeout_s),
        "ReceiveMessageWaitTimeSeconds": str(defaults.receive_wait_s),
        "MessageRetentionPeriod": str(defaults.retention_s),
        "RedrivePolicy": json.dumps(
            {
                "deadLetterTargetArn": dead_letter_arn,
                "maxReceiveCount": str(defaults.max_receive_count),
            }
        ),
    }


def dead_letter_attributes(topology: Topology) -> "dict[QueueAttributeNameType, str]":
    return {"MessageRetentionPeriod": str(topology.queue_defaults.retention_s)}


def subscription_attributes(event_types: Iterable[str], dead_letter_arn: str) -> dict[str, str]:
    """Raw (ADR-0004), filtered by the attribute `event_type`; what SNS cannot deliver is kept."""
    return {
        "RawMessageDelivery": "true",
        "FilterPolicy": json.dumps({"event_type": list(event_types)}),
        "RedrivePolicy": json.dumps({"deadLetterTargetArn": dead_letter_arn}),
    }


@dataclass(frozen=True)
class _Queue:
    url: str
    arn: str


def _dead_letter_queues(
    pool: ThreadPoolExecutor, sqs: "SQSClient", topology: Topology
) -> dict[str, _Queue]:
    """By the name of the queue they serve."""
    attributes = dead_letter_attributes(topology)

    def create_one(queue: str) -> _Queue:
        return _queue(sqs, topology.dead_letter_queue(queue), attributes)

    return dict(zip(topology.queues, pool.map(create_one, topology.queues), strict=True))


def _queues(
    pool: ThreadPoolExecutor,
    sqs: "SQSClient",
    topology: Topology,
    dead_letters: Mapping[str, _Queue],
) -> dict[str, _Queue]:
    def create_one(queue: str) -> _Queue:
        return _queue(sqs, queue, queue_attributes(topology, dead_letters[queue].arn))

    return dict(zip(topology.queues, pool.map(create_one, topology.queues), strict=True))


def _queue(sqs: "SQSClient", name: str, attributes: "dict[QueueAttributeNameType, str]") -> _Queue:
    try:
        url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    except sqs.exceptions.QueueNameExists:  # It was created from an older topology.
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return _Queue(url, found["Attributes"]["QueueArn"])


def _subscribe(sns: "SNSClient", topology: Topology, messaging: Messaging, topic: str) -> None:
    """Make the topic's subscriptions of the shop's queues those of the topology; touch no other."""
    topic_arn = messaging.topic_arns[topic]
    existing = _subscriptions(sns, topic_arn)
    for queue, queue_arn in messaging.queue_arns.items():
        event_types = topology.queues[queue].get(topic)
        subscription_arn = existing.get(queue_arn)
        if event_types is None:
            if subscription_arn is not None:
                sns.unsubscribe(SubscriptionArn=subscription_arn)
            continue
        attributes = subscription_attributes(event_types, messaging.dead_letter_queue_arns[queue])
        if subscription_arn is None:
            sns.subscribe(
                TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn, Attributes=attributes
            )
        else:
            _correct(sns, subscription_arn, attributes)


def _subscriptions(sns: "SNSClient", topic_arn: str) -> dict[str, str]:
    """The topic's subscribed queues: ARN of the queue to ARN of the subscription."""
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
    return {
        subscription["Endpoint"]: subscription["SubscriptionArn"]
        for page in pages
        for subscription in page["Subscriptions"]
    }


def _correct(sns: "SNSClient", subscription_arn: str, wanted: dict[str, str]) -> None:
    """Subscribing again cannot change attributes: AWS refuses it."""
    found = sns.get_subscription_attributes(SubscriptionArn=subscription_arn)["Attributes"]
    for name, value in wanted.items():
        if found.get(name) != value:
            sns.set_subscription_attributes(
                SubscriptionArn=subscription_arn, AttributeName=name, AttributeValue=value
            )


def sns(endpoint_url: str | None, region: str = REGION) -> "SNSClient":
    """The client by which this library makes topics, for whoever publishes to them."""
    return _sns(endpoint_url, region)


def sqs(endpoint_url: str | None, region: str = REGION) -> "SQSClient":
    """The client by which this library counts messages, for whoever moves them."""
    return _sqs(endpoint_url, region)


def _depth(sqs: "SQSClient", url: str) -> Depth:
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=_COUNTS)["Attributes"]
    visible, in_flight, delayed = (int(found[name]) for name in _COUNTS)
    return Depth(visible=visible, in_flight=in_flight, delayed=delayed)


def _all(pool: ThreadPoolExecutor, action: Callable[[str], None], names: Iterable[str]) -> None:
    """Do it for every name and raise the first failure: `map` raises only when it is read."""
    for _ in pool.map(action, names):
        pass


# Loading a service's description takes a quarter of a second, and clients may be shared by threads.
@lru_cache(maxsize=8)
def _sns(endpoint_url: str | None, region: str) -> "SNSClient":
    return _session(endpoint_url, region).client("sns", endpoint_url=endpoint_url, config=_CONFIG)


@lru_cache(maxsize=8)
def _sqs(endpoint_url: str | None, region: str) -> "SQSClient":
    return _session(endpoint_url, region).client("sqs", endpoint_url=endpoint_url, config=_CONFIG)


@lru_cache(maxsize=8)
def _session(endpoint_url: str | None, region: str) -> boto3.session.Session:
    """An emulator takes any credentials, and must not be sent the developer's own."""
    if endpoint_url is None:
        return boto3.session.Session(region_name=region)
    return boto3.session.Session("test", "test", region_name=region)


_CONFIG = Config(
    connect_timeout=CONNECT_TIMEOUT_S,
    read_timeout=READ_TIMEOUT_S,
    retries={"total_max_attempts": MAX_ATTEMPTS, "mode": "standard"},
    max_pool_connections=CONCURRENCY,
)
