"""The shop's own topics, queues and subscriptions, created where they will be used."""

from collections import defaultdict
from collections.abc import Iterator

import pytest
from harness import stack
from harness.eventually import eventually
from harness.topology import messaging
from harness.topology.messaging import Messaging

from conformance.aws import ARRIVES_WITHIN_S, Aws, event_type

TOPOLOGY = stack.topology()


@pytest.fixture
def made(aws: Aws) -> Iterator[Messaging]:
    if aws.endpoint_url is None:
        pytest.skip("its names are those that a shop on AWS may be using")
    made = messaging.create(TOPOLOGY, aws.endpoint_url)
    yield made
    for url in made.queue_urls.values():
        aws.sqs.purge_queue(QueueUrl=url)


def test_creating_the_topology_again_changes_nothing(aws: Aws, made: Messaging) -> None:
    def subscriptions() -> set[str]:
        return {
            found["SubscriptionArn"]
            for arn in made.topic_arns.values()
            for found in aws.sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
        }

    before = subscriptions()
    again = messaging.create(TOPOLOGY, aws.endpoint_url)

    assert again == made
    assert subscriptions() == before
    assert len(before) == len(list(TOPOLOGY.subscriptions()))


def test_every_event_reaches_the_queues_that_want_it_and_no_other(
    aws: Aws, made: Messaging
) -> None:
    wanted: dict[str, list[str]] = defaultdict(list)
    for _, queue, event_types in TOPOLOGY.subscriptions():
        wanted[queue] += event_types
    counts = {queue: len(event_types) for queue, event_types in wanted.items()}

    for topic, event_types in TOPOLOGY.topics.items():
        for name in event_types:
            aws.sns.publish(
                TopicArn=made.topic_arns[topic], Message=name, MessageAttributes=event_type(name)
            )

    def held() -> dict[str, int]:
        depths = messaging.depths(aws.endpoint_url, made.queue_urls)
        return {queue: depth.visible for queue, depth in depths.items() if depth.visible}

    eventually(lambda: held() == counts, ARRIVES_WITHIN_S, f"{counts}, not {held()}")
    for queue, names in wanted.items():
        assert aws.bodies(made.queue_urls[queue], len(names)) == sorted(names)
    dead = messaging.depths(aws.endpoint_url, made.dead_letter_queue_urls)
    assert {depth.total for depth in dead.values()} == {0}


def test_what_was_changed_by_hand_is_corrected(aws: Aws, made: Messaging) -> None:
    queue = made.queue_urls["cart-inbox"]
    before = aws.attributes(queue, "VisibilityTimeout", "RedrivePolicy")
    aws.sqs.set_queue_attributes(
        QueueUrl=queue, Attributes={"VisibilityTimeout": "7", "RedrivePolicy": ""}
    )

    messaging.create(TOPOLOGY, aws.endpoint_url)

    assert aws.attributes(queue, "VisibilityTimeout", "RedrivePolicy") == before
