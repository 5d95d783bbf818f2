"""From a topic to queues: raw delivery, attributes, filter policies, limits, lost queues."""

import json
from typing import Any

import pytest
from harness.eventually import eventually

from conformance.aws import ARRIVES_WITHIN_S, Aws, code_of, eleven_attributes, entries, event_type

KIB = 1024
# Characters of every length in UTF-8, a control character that XML allows, and JSON's own.
UNICODE = '{"naïve": "日本語 🛒\t\\"quoted\\""}\r\n'


def test_a_raw_message_arrives_as_published_with_its_attributes(aws: Aws) -> None:
    topic = aws.topic()
    inbox = aws.subscribed(topic, "order.placed")
    attributes = {**event_type(), "attempt": {"DataType": "Number", "StringValue": "3"}}

    aws.sns.publish(TopicArn=topic, Message='{"id": "ü"}', MessageAttributes=attributes)

    [message] = aws.arrived(inbox)
    assert message["Body"] == '{"id": "ü"}'
    assert message["MessageAttributes"] == attributes


def test_a_published_body_keeps_every_character(aws: Aws) -> None:
    topic = aws.topic()
    inbox = aws.subscribed(topic, "order.placed")

    aws.sns.publish(TopicArn=topic, Message=UNICODE, MessageAttributes=event_type())

    assert aws.bodies(inbox) == [UNICODE]


@pytest.mark.parametrize(
    "attribute",
    [
        pytest.param({"DataType": "String", "StringValue": "ü 🛒"}, id="string"),
        pytest.param({"DataType": "Number", "StringValue": "-1.5"}, id="number"),
        pytest.param({"DataType": "Binary", "BinaryValue": b"\x00\xff"}, id="binary"),
    ],
)
def test_an_attribute_keeps_its_type_through_a_topic(aws: Aws, attribute: Any) -> None:
    topic = aws.topic()
    inbox = aws.subscribed(topic, "order.placed")
    attributes = {**event_type(), "it": attribute}

    aws.sns.publish(TopicArn=topic, Message="1", MessageAttributes=attributes)

    [message] = aws.arrived(inbox)
    assert message["MessageAttributes"]["it"] == attribute


def test_a_message_that_is_not_raw_is_wrapped_with_its_topic(aws: Aws) -> None:
    topic = aws.topic()
    inbox = aws.subscribed_by(topic, {})

    aws.sns.publish(TopicArn=topic, Message="1", MessageAttributes=event_type())

    [message] = aws.arrived(inbox)
    wrapped = json.loads(message["Body"])
    assert (wrapped["Type"], wrapped["TopicArn"], wrapped["Message"]) == (
        "Notification",
        topic,
        "1",
    )
    assert wrapped["MessageAttributes"]["event_type"] == {"Type": "String", "Value": "order.placed"}


def test_every_subscribed_queue_gets_its_own_copy(aws: Aws) -> None:
    topic = aws.topic()
    inboxes = [aws.subscribed(topic, "order.placed") for _ in range(3)]

    aws.sns.publish(TopicArn=topic, Message="1", MessageAttributes=event_type())

    assert [aws.bodies(inbox) for inbox in inboxes] == [["1"], ["1"], ["1"]]


# Filter policies


def test_a_filter_lets_its_event_types_pass_and_no_other(aws: Aws) -> None:
    topic = aws.topic()
    inbox = aws.subscribed(topic, "order.placed", "order.cancelled")

    for name in ("order.placed", "order.confirmed", "order.cancelled"):
        aws.sns.publish(TopicArn=topic, Message=name, MessageAttributes=event_type(name))

    assert aws.bodies(inbox, 2) == ["order.cancelled", "order.placed"]


def test_a_message_without_the_filtered_attribute_does_not_pass(aws: Aws) -> None:
    topic = aws.topic()
    inbox = aws.subscribed(topic, "order.placed")

    aws.sns.publish(TopicArn=topic, Message="nothing to filter by")
    aws.sns.publish(TopicArn=topic, Message="2", MessageAttributes=event_type())

    assert aws.bodies(inbox) == ["2"]


def test_a_filter_compares_whole_words_and_their_case(aws: Aws) -> None:
    topic = aws.topic()
    inbox = aws.subscribed(topic, "order.placed")

    for name in ("order.placed.late", "Order.Placed", "order.place", "order.placed"):
        aws.sns.publish(TopicArn=topic, Message=name, MessageAttributes=event_type(name))

    assert aws.bodies(inbox) == ["order.placed"]


def test_a_changed_filter_holds_for_what_is_published_afterwards(aws: Aws) -> None:
    topic = aws.topic()
    inbox = aws.subscribed(topic, "order.placed")
    [subscription] = aws.sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]

    aws.sns.set_subscription_attributes(
        SubscriptionArn=subscription["SubscriptionArn"],
        AttributeName="FilterPolicy",
        AttributeValue='{"event_type": ["order.cancelled"]}',
    )
    for name in ("order.placed", "order.cancelled"):
        aws.sns.publish(TopicArn=topic, Message=name, MessageAttributes=event_type(name))

    assert aws.bodies(inbox) == ["order.cancelled"]


def test_a_filter_that_is_no_policy_is_refused(aws: Aws) -> None:
    topic, inbox = aws.topic(), aws.queue()

    refused = code_of(
        lambda: aws.sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=aws.arn(inbox),
            Attributes={"FilterPolicy": '{"event_type": "not a list"}'},
        )
    )

    assert refused == "InvalidParameter"


def test_subscribing_again_with_other_attributes_is_refused(aws: Aws) -> None:
    topic = aws.topic()
    inbox = aws.subscribed(topic, "order.placed")

    refused = code_of(
        lambda: aws.sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=aws.arn(inbox),
            Attributes={"FilterPolicy": '{"event_type": ["order.cancelled"]}'},
        )
    )

    assert refused == "InvalidParameter"


# Batches and limits


def test_ten_messages_are_published_in_one_call(aws: Aws) -> None:
    topic = aws.topic()
    inbox = aws.subscribed(topic, "order.placed")
    bodies = [str(i) for i in range(10)]

    answer = aws.sns.publish_batch(
        TopicArn=topic, PublishBatchRequestEntries=entries(bodies, "Message")
    )

    assert len(answer["Successful"]) == 10
    assert answer.get("Failed", []) == []
    assert aws.bodies(inbox, 10) == bodies


def test_a_batch_entry_keeps_its_attributes(aws: Aws) -> None:
    topic = aws.topic()
    inbox = aws.subscribed(topic, "order.placed")
    attributes = {**event_type(), "proof": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}}
    entry = {"Id": "1", "Message": "1", "MessageAttributes": attributes}

    aws.sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[entry])  # type: ignore[list-item]

    [message] = aws.arrived(inbox)
    assert message["MessageAttributes"] == attributes


@pytest.mark.parametrize(
    ("bodies", "code"),
    [
        pytest.param([], "EmptyBatchRequest", id="none"),
        pytest.param(["1"] * 11, "TooManyEntriesInBatchRequest", id="eleven"),
        pytest.param(["x" * 27_000] * 10, "BatchRequestTooLong", id="over-256-kib"),
    ],
)
def test_a_batch_that_is_none_is_refused_as_a_whole(aws: Aws, bodies: list[str], code: str) -> None:
    topic = aws.topic()
    inbox = aws.subscribed(topic, "order.placed")

    refused = code_of(
        lambda: aws.sns.publish_batch(
            TopicArn=topic, PublishBatchRequestEntries=entries(bodies, "Message")
        )
    )

    assert refused.removesuffix("Exception") == code
    assert aws.depth(inbox).total == 0


def test_two_entries_of_a_batch_have_two_ids(aws: Aws) -> None:
    topic = aws.topic()
    entry = {"Id": "same", "Message": "1"}

    refused = code_of(
        lambda: aws.sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[entry, entry])  # type: ignore[list-item]
    )

    assert refused.removesuffix("Exception") == "BatchEntryIdsNotDistinct"


def test_the_largest_event_of_the_shop_passes_a_topic(aws: Aws) -> None:
    topic = aws.topic()
    inbox = aws.subscribed(topic, "order.placed")
    # common.events.EVENT_BYTES_MAX; the rest of 256 KiB is for attributes.
    body = "x" * (240 * KIB)

    aws.sns.publish(TopicArn=topic, Message=body, MessageAttributes=event_type())

    assert aws.bodies(inbox) == [body]


def test_more_than_256_kib_is_refused_by_a_topic(aws: Aws) -> None:
    topic = aws.topic()

    refused = code_of(lambda: aws.sns.publish(TopicArn=topic, Message="x" * (256 * KIB + 1)))

    assert refused == "InvalidParameter"


def test_an_empty_message_is_refused_by_a_topic(aws: Aws) -> None:
    topic = aws.topic()

    assert code_of(lambda: aws.sns.publish(TopicArn=topic, Message="")) == "InvalidParameter"


def test_a_topic_that_is_not_there_is_named_so(aws: Aws) -> None:
    missing = aws.topic() + "-not"

    assert code_of(lambda: aws.sns.publish(TopicArn=missing, Message="1")) == "NotFound"


# What cannot be delivered


def test_what_cannot_be_delivered_goes_to_the_subscriptions_dead_letter_queue(aws: Aws) -> None:
    topic = aws.topic()
    dead_letters = aws.queue()
    aws.allow(dead_letters, topic)
    inbox = aws.subscribed(topic, "order.placed", dead_letters=aws.arn(dead_letters))
    aws.sqs.delete_queue(QueueUrl=inbox)

    aws.sns.publish(TopicArn=topic, Message="lost?", MessageAttributes=event_type())

    [message] = aws.arrived(dead_letters)
    assert message["Body"] == "lost?"
    assert message["MessageAttributes"] == event_type()


def test_a_raw_message_with_eleven_attributes_is_not_delivered_but_kept(aws: Aws) -> None:
    topic = aws.topic()
    dead_letters = aws.queue()
    aws.allow(dead_letters, topic)
    inbox = aws.subscribed(topic, "order.placed", dead_letters=aws.arn(dead_letters))

    aws.sns.publish(TopicArn=topic, Message="1", MessageAttributes=eleven_attributes())

    eventually(
        lambda: aws.depth(inbox).total + aws.depth(dead_letters).total,
        ARRIVES_WITHIN_S,
        "a message",
    )
    assert aws.depth(inbox).total == 0, "it was delivered"
    assert aws.bodies(dead_letters) == ["1"]
