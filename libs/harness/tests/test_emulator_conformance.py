"""What the shop relies on between SNS and SQS, as AWS documents it, held against each provider."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from aws_for_tests import PROVIDERS, Aws, eleven_attributes, entries, event_type, provided
from botocore.exceptions import ClientError


@pytest.fixture(scope="module", params=PROVIDERS)
def aws(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    with provided(request.param, tmp_path_factory.mktemp("state")) as it:
        yield it


# SNS to SQS


def test_a_raw_message_arrives_as_published_with_its_attributes(aws: Aws) -> None:
    topic = aws.topic()
    inbox = aws.subscribed(topic, "order.placed")
    attributes = {
        **event_type("order.placed"),
        "attempt": {"DataType": "Number", "StringValue": "3"},
    }

    aws.sns.publish(TopicArn=topic, Message='{"id": "ü"}', MessageAttributes=attributes)

    [message] = aws.arrived(inbox)
    assert message["Body"] == '{"id": "ü"}'
    assert message["MessageAttributes"] == attributes


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
    aws.sns.publish(TopicArn=topic, Message="2", MessageAttributes=event_type("order.placed"))

    assert aws.bodies(inbox) == ["2"]


def test_every_subscribed_queue_gets_its_own_copy(aws: Aws) -> None:
    topic = aws.topic()
    inboxes = [aws.subscribed(topic, "order.placed") for _ in range(3)]

    aws.sns.publish(TopicArn=topic, Message="1", MessageAttributes=event_type("order.placed"))

    assert [aws.bodies(inbox) for inbox in inboxes] == [["1"], ["1"], ["1"]]


def test_ten_messages_are_published_received_and_deleted_in_one_call_each(aws: Aws) -> None:
    topic = aws.topic()
    inbox = aws.subscribed(topic, "order.placed")
    bodies = [str(i) for i in range(10)]

    published = aws.sns.publish_batch(
        TopicArn=topic, PublishBatchRequestEntries=entries(bodies, "Message")
    )
    messages = aws.arrived(inbox, 10)
    deleted = aws.sqs.delete_message_batch(
        QueueUrl=inbox,
        Entries=[{"Id": m["Body"], "ReceiptHandle": m["ReceiptHandle"]} for m in messages],
    )

    assert len(published["Successful"]) == 10
    assert sorted(m["Body"] for m in messages) == bodies
    assert len(deleted["Successful"]) == 10
    assert aws.depth(inbox).total == 0


def test_a_batch_over_256_kib_is_refused_as_a_whole(aws: Aws) -> None:
    topic = aws.topic()
    inbox = aws.subscribed(topic, "order.placed")
    bodies = ["x" * 27_000] * 10

    with pytest.raises(aws.sns.exceptions.BatchRequestTooLongException):
        aws.sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries(bodies, "Message"))

    assert aws.depth(inbox).total == 0


def test_what_cannot_be_delivered_goes_to_the_subscriptions_dead_letter_queue(aws: Aws) -> None:
    topic = aws.topic()
    dead_letters = aws.queue()
    inbox = aws.subscribed(topic, "order.placed", dead_letters=aws.arn(dead_letters))
    aws.sqs.delete_queue(QueueUrl=inbox)

    aws.sns.publish(TopicArn=topic, Message="lost?", MessageAttributes=event_type("order.placed"))

    [message] = aws.arrived(dead_letters)
    assert message["Body"] == "lost?"
    assert message["MessageAttributes"] == event_type("order.placed")


def test_a_raw_message_witheleven_attributes_is_not_delivered_but_kept(aws: Aws) -> None:
    topic = aws.topic()
    dead_letters = aws.queue()
    inbox = aws.subscribed(topic, "order.placed", dead_letters=aws.arn(dead_letters))

    aws.sns.publish(TopicArn=topic, Message="1", MessageAttributes=eleven_attributes())

    assert aws.bodies(dead_letters) != []
    assert aws.depth(inbox).total == 0


# Batches and limits


def test_one_bad_entry_does_not_spoil_a_batch_of_sends(aws: Aws) -> None:
    inbox = aws.queue()
    # SQS refuses characters that XML 1.0 has no way to write.
    good, bad = entries(["good", "\x00"], "MessageBody")

    answer = aws.sqs.send_message_batch(QueueUrl=inbox, Entries=[bad, good])

    assert [it["Id"] for it in answer["Successful"]] == [good["Id"]]
    assert [it["Id"] for it in answer["Failed"]] == [bad["Id"]]
    assert aws.bodies(inbox) == ["good"]


def test_one_bad_handle_does_not_spoil_a_batch_of_deletes(aws: Aws) -> None:
    inbox = aws.queue()
    aws.sqs.send_message(QueueUrl=inbox, MessageBody="1")
    [message] = aws.receive(inbox)

    answer = aws.sqs.delete_message_batch(
        QueueUrl=inbox,
        Entries=[
            {"Id": "bad", "ReceiptHandle": "never-issued"},
            {"Id": "good", "ReceiptHandle": message["ReceiptHandle"]},
        ],
    )

    assert [it["Id"] for it in answer["Successful"]] == ["good"]
    assert [(it["Id"], it["Code"]) for it in answer["Failed"]] == [
        ("bad", "ReceiptHandleIsInvalid")
    ]
    assert aws.depth(inbox).total == 0


def test_a_message_has_ten_attributes_at_most(aws: Aws) -> None:
    inbox = aws.queue()
    attributes = eleven_attributes()

    with pytest.raises(ClientError, match="InvalidParameterValue"):
        aws.sqs.send_message(QueueUrl=inbox, MessageBody="1", MessageAttributes=attributes)
    del attributes["more-0"]
    aws.sqs.send_message(QueueUrl=inbox, MessageBody="2", MessageAttributes=attributes)

    [message] = aws.receive(inbox)
    assert message["MessageAttributes"] == attributes


# Concurrency


def test_nothing_is_lost_or_doubled_between_two_publishers_and_four_consumers(aws: Aws) -> None:
    topic = aws.topic()
    inbox = aws.subscribed(topic, "order.placed")
    total = 1_000
    received: Counter[str] = Counter()
    all_published, all_received = threading.Event(), threading.Event()
    lock = threading.Lock()

    def publish(first: int) -> None:
        for start in range(first, total, 20):
            bodies = [str(i) for i in range(start, start + 10)]
            answer = aws.sns.publish_batch(
                TopicArn=topic, PublishBatchRequestEntries=entries(bodies, "Message")
            )
            assert len(answer["Successful"]) == 10

    def consume() -> None:
        while not all_received.is_set():
            messages = aws.receive(inbox, WaitTimeSeconds=1)
            if not messages:
                if all_published.is_set():
                    return  # And then nothing came for a second: what is missing now is lost.
                continue
            batch = [
                {"Id": str(i), "ReceiptHandle": message["ReceiptHandle"]}
                for i, message in enumerate(messages)
            ]
            answer = aws.sqs.delete_message_batch(QueueUrl=inbox, Entries=batch)  # type: ignore[arg-type]
            assert len(answer["Successful"]) == len(batch)
            with lock:
                received.update(message["Body"] for message in messages)
                if received.total() >= total:
                    all_received.set()

    with ThreadPoolExecutor(6) as pool:
        publishers = [pool.submit(publish, first) for first in (0, 10)]
        consumers = [pool.submit(consume) for _ in range(4)]
        for publisher in publishers:
            publisher.result()
        all_published.set()
        for consumer in consumers:
            consumer.result()

    assert received == Counter(str(i) for i in range(total))
    assert aws.depth(inbox).total == 0
