"""A queue: its delays, its attributes, its purge, and whose it is."""

import json
import time

import pytest
from harness.eventually import eventually

from conformance.aws import (
    ARRIVES_WITHIN_S,
    Aws,
    code_of,
    event_type,
    unique_name,
)

MIB = 1024 * 1024


# Delays


def test_a_delayed_message_is_counted_and_not_given(aws: Aws) -> None:
    inbox = aws.queue()
    aws.sqs.send_message(QueueUrl=inbox, MessageBody="late", DelaySeconds=900)
    aws.send(inbox, "now")

    assert aws.bodies(inbox) == ["now"]
    assert aws.receive(inbox) == []
    eventually(lambda: aws.depth(inbox).delayed == 1, ARRIVES_WITHIN_S, "one delayed message")


def test_a_delayed_message_is_given_when_its_time_has_come(aws: Aws) -> None:
    inbox = aws.queue()

    sent_at = time.monotonic()
    aws.sqs.send_message(QueueUrl=inbox, MessageBody="1", DelaySeconds=1)
    early, looked_at = aws.receive(inbox, VisibilityTimeout=0), time.monotonic()

    assert early == [] or looked_at - sent_at >= 1
    assert aws.bodies(inbox) == ["1"]


def test_a_queues_delay_holds_for_what_a_topic_sends(aws: Aws) -> None:
    topic = aws.topic()
    inbox = aws.subscribed(topic, "order.placed")
    aws.sqs.set_queue_attributes(QueueUrl=inbox, Attributes={"DelaySeconds": "900"})

    aws.sns.publish(TopicArn=topic, Message="1", MessageAttributes=event_type())

    aws.settles_at(inbox, delayed=1)


def test_no_delay_is_longer_than_fifteen_minutes(aws: Aws) -> None:
    inbox = aws.queue()

    refused = code_of(
        lambda: aws.sqs.send_message(QueueUrl=inbox, MessageBody="1", DelaySeconds=901)
    )

    assert refused == "InvalidParameterValue"


# Queues


def test_a_purged_queue_is_empty(aws: Aws) -> None:
    inbox = aws.queue()
    aws.send(inbox, "1", "2", "3")
    aws.arrived(inbox, 1, limit=1)

    aws.sqs.purge_queue(QueueUrl=inbox)

    aws.settles_at(inbox)


def test_the_attributes_that_the_topology_sets_are_kept(aws: Aws) -> None:
    dead_letters = aws.queue(MessageRetentionPeriod="1209600")
    wanted = {
        "VisibilityTimeout": "60",
        "ReceiveMessageWaitTimeSeconds": "20",
        "MessageRetentionPeriod": "1209600",
    }
    policy = {"deadLetterTargetArn": aws.arn(dead_letters), "maxReceiveCount": "5"}

    inbox = aws.queue(**wanted, RedrivePolicy=json.dumps(policy))

    found = aws.attributes(inbox, "All")
    assert wanted.items() <= found.items()
    kept = json.loads(found["RedrivePolicy"])
    assert (kept["deadLetterTargetArn"], str(kept["maxReceiveCount"])) == tuple(policy.values())


def test_creating_a_queue_again_is_harmless_unless_it_would_change(aws: Aws) -> None:
    name = unique_name()
    first = aws.queue(name, VisibilityTimeout="60")

    again = aws.sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "60"})
    refused = code_of(
        lambda: aws.sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "61"})
    )

    assert again["QueueUrl"] == first
    assert refused == "QueueNameExists" or refused == "QueueAlreadyExists"


@pytest.mark.parametrize("attribute", ["VisibilityTimeout", "MessageRetentionPeriod"])
def test_an_attribute_out_of_its_range_is_refused(aws: Aws, attribute: str) -> None:
    refused = code_of(lambda: aws.queue(**{attribute: "9999999"}))

    assert refused == "InvalidAttributeValue"


def test_two_accounts_see_nothing_of_one_another(aws: Aws) -> None:
    name = unique_name()
    inbox = aws.queue(name)
    aws.send(inbox, "1")

    with aws.another_account() as other:
        theirs = other.queue(name)
        assert other.arn(theirs).split(":")[4] == "111111111111"
        assert other.receive(theirs) == []
        listed = other.sqs.list_queues(QueueNamePrefix=name)["QueueUrls"]

    assert listed == [theirs]
    assert aws.bodies(inbox) == ["1"]
