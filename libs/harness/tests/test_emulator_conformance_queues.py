"""What a consumer relies on in an SQS queue, as AWS documents it, held against each provider."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from aws_for_tests import ARRIVES_WITHIN_S, PROVIDERS, Aws, entries, event_type, provided
from botocore.exceptions import ClientError
from harness.eventually import eventually
from harness.messaging import Depth

LONGEST_POLL_S = 20
# A poll that woke for its message ends far below this; one that slept through it takes 20 s.
WOKEN_WITHIN_S = 5
# Short enough to wait for, long enough to look at what is hidden.
SHORT_VISIBILITY_S = 1


@pytest.fixture(scope="module", params=PROVIDERS)
def aws(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    with provided(request.param, tmp_path_factory.mktemp("state")) as it:
        yield it


# Visibility


def test_a_received_message_is_hidden_and_comes_back_counted(aws: Aws) -> None:
    inbox = aws.queue(VisibilityTimeout=str(SHORT_VISIBILITY_S))
    aws.sqs.send_message(QueueUrl=inbox, MessageBody="1")

    [first] = aws.receive(inbox)
    assert aws.receive(inbox) == []
    assert aws.depth(inbox) == Depth(visible=0, in_flight=1, delayed=0)
    [second] = aws.arrived(inbox)

    assert (first["MessageId"], first["Body"]) == (second["MessageId"], second["Body"])
    assert first["Attributes"]["ApproximateReceiveCount"] == "1"
    assert second["Attributes"]["ApproximateReceiveCount"] == "2"


def test_a_visibility_changed_to_nothing_gives_the_message_back_at_once(aws: Aws) -> None:
    inbox = aws.queue()
    aws.sqs.send_message(QueueUrl=inbox, MessageBody="1")
    [message] = aws.receive(inbox)

    aws.sqs.change_message_visibility(
        QueueUrl=inbox, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
    )

    assert aws.bodies(inbox) == ["1"]


def test_an_extended_visibility_hides_the_message_for_longer(aws: Aws) -> None:
    inbox = aws.queue(VisibilityTimeout=str(SHORT_VISIBILITY_S))
    for body in ("extended", "left alone"):
        aws.sqs.send_message(QueueUrl=inbox, MessageBody=body)
    received = {message["Body"]: message["ReceiptHandle"] for message in aws.receive(inbox)}

    aws.sqs.change_message_visibility_batch(
        QueueUrl=inbox,
        Entries=[{"Id": "1", "ReceiptHandle": received["extended"], "VisibilityTimeout": 60}],
    )

    assert aws.bodies(inbox) == ["left alone"]


def test_deleting_with_a_stale_receipt_handle_succeeds(aws: Aws) -> None:
    inbox = aws.queue()
    aws.sqs.send_message(QueueUrl=inbox, MessageBody="1")
    [first] = aws.receive(inbox, VisibilityTimeout=0)
    [second] = aws.receive(inbox)

    # Whether the message goes is not promised: "might not be deleted".
    aws.sqs.delete_message(QueueUrl=inbox, ReceiptHandle=first["ReceiptHandle"])
    aws.sqs.delete_message(QueueUrl=inbox, ReceiptHandle=second["ReceiptHandle"])

    assert aws.depth(inbox).total == 0


def test_deleting_twice_succeeds(aws: Aws) -> None:
    inbox = aws.queue()
    aws.sqs.send_message(QueueUrl=inbox, MessageBody="1")
    handle = aws.receive(inbox)[0]["ReceiptHandle"]
    aws.sqs.delete_message(QueueUrl=inbox, ReceiptHandle=handle)

    answer = aws.sqs.delete_message_batch(
        QueueUrl=inbox, Entries=[{"Id": "again", "ReceiptHandle": handle}]
    )

    assert [it["Id"] for it in answer["Successful"]] == ["again"]


def test_a_receipt_handle_that_was_never_issued_is_refused(aws: Aws) -> None:
    inbox = aws.queue()

    with pytest.raises(aws.sqs.exceptions.ReceiptHandleIsInvalid):
        aws.sqs.delete_message(QueueUrl=inbox, ReceiptHandle="never-issued")


# Dead letters


def dead_lettered(aws: Aws) -> tuple[str, str]:
    """A queue and its dead-letter queue, which holds one message that was received five times."""
    dead_letters = aws.queue()
    policy = f'{{"deadLetterTargetArn": "{aws.arn(dead_letters)}", "maxReceiveCount": "5"}}'
    inbox = aws.queue(RedrivePolicy=policy)
    aws.sqs.send_message(
        QueueUrl=inbox, MessageBody="poison", MessageAttributes=event_type("order.placed")
    )
    for _ in range(5):
        assert len(aws.receive(inbox, VisibilityTimeout=0)) == 1
    assert aws.receive(inbox, VisibilityTimeout=0) == []
    return inbox, dead_letters


def test_after_five_receives_a_message_goes_to_the_dead_letter_queue_unchanged(aws: Aws) -> None:
    inbox, dead_letters = dead_lettered(aws)

    [message] = aws.arrived(dead_letters)

    assert aws.depth(inbox).total == 0
    assert message["Body"] == "poison"
    assert message["MessageAttributes"] == event_type("order.placed")


def test_a_poisonous_message_does_not_keep_the_ones_behind_it(aws: Aws) -> None:
    dead_letters = aws.queue()
    policy = f'{{"deadLetterTargetArn": "{aws.arn(dead_letters)}", "maxReceiveCount": "2"}}'
    inbox = aws.queue(RedrivePolicy=policy)
    bodies = [str(i) for i in range(10)]
    aws.sqs.send_message_batch(QueueUrl=inbox, Entries=entries(bodies, "MessageBody"))
    for _ in range(2):
        aws.receive(inbox, VisibilityTimeout=0)
    aws.sqs.send_message(QueueUrl=inbox, MessageBody="healthy")

    assert aws.bodies(inbox) == ["healthy"]
    assert aws.depth(dead_letters).total == 10


def test_dead_letters_can_be_moved_back(aws: Aws) -> None:
    inbox, dead_letters = dead_lettered(aws)
    sources = aws.sqs.list_dead_letter_source_queues(QueueUrl=dead_letters)
    assert sources["queueUrls"] == [inbox]

    aws.sqs.start_message_move_task(SourceArn=aws.arn(dead_letters))

    [message] = aws.arrived(inbox)
    assert message["Body"] == "poison"
    assert message["MessageAttributes"] == event_type("order.placed")
    [task] = aws.sqs.list_message_move_tasks(SourceArn=aws.arn(dead_letters))["Results"]
    assert task["ApproximateNumberOfMessagesMoved"] == 1


def test_a_queue_that_is_nobodys_dead_letter_queue_cannot_be_moved_back(aws: Aws) -> None:
    inbox = aws.queue()

    with pytest.raises(ClientError, match="Dead Letter Queue"):
        aws.sqs.start_message_move_task(SourceArn=aws.arn(inbox))


# Long polls


@contextmanager
def long_poll(aws: Aws, url: str, polls: int = 1) -> Iterator[Callable[[], list[str]]]:
    """Opens polls of 20 s; yields what they received, once all of them have answered."""
    sent = threading.Semaphore(0)

    def poll() -> list[str]:
        sent.release()
        return [message["Body"] for message in aws.receive(url, WaitTimeSeconds=LONGEST_POLL_S)]

    with ThreadPoolExecutor(polls) as pool:
        waiting = [pool.submit(poll) for _ in range(polls)]
        for _ in waiting:
            sent.acquire()
        # The server has most likely read the polls when it has answered another request after them.
        aws.depth(url)
        yield lambda: [body for it in waiting for body in it.result(WOKEN_WITHIN_S)]


def test_a_long_poll_answers_as_soon_as_a_message_is_sent(aws: Aws) -> None:
    inbox = aws.queue()

    with long_poll(aws, inbox) as received:
        aws.sqs.send_message(QueueUrl=inbox, MessageBody="1")

        assert received() == ["1"]


def test_a_long_poll_answers_as_soon_as_a_message_is_published(aws: Aws) -> None:
    topic = aws.topic()
    inbox = aws.subscribed(topic, "order.placed")

    with long_poll(aws, inbox) as received:
        aws.sns.publish(TopicArn=topic, Message="1", MessageAttributes=event_type("order.placed"))

        assert received() == ["1"]


def test_two_long_polls_of_a_queue_both_get_something(aws: Aws) -> None:
    inbox = aws.queue()

    with long_poll(aws, inbox, polls=2) as received:
        for body in ("1", "2"):
            aws.sqs.send_message(QueueUrl=inbox, MessageBody=body)
        # A poll may take both; then the other one gets this.
        eventually(lambda: aws.depth(inbox).in_flight == 2, ARRIVES_WITHIN_S)
        aws.sqs.send_message(QueueUrl=inbox, MessageBody="3")

        assert sorted(received())[:2] == ["1", "2"]


def test_a_long_poll_answers_when_a_hidden_message_comes_back(aws: Aws) -> None:
    inbox = aws.queue(VisibilityTimeout=str(SHORT_VISIBILITY_S))
    aws.sqs.send_message(QueueUrl=inbox, MessageBody="1")
    assert aws.bodies(inbox) == ["1"]

    with long_poll(aws, inbox) as received:
        assert received() == ["1"]


def test_a_long_poll_of_an_empty_queue_waits_as_long_as_the_queue_says(aws: Aws) -> None:
    inbox = aws.queue(ReceiveMessageWaitTimeSeconds="1")
    before = time.monotonic()

    answer = aws.sqs.receive_message(QueueUrl=inbox)

    assert answer.get("Messages", []) == []
    # The server's clock and ours may differ in what a second is, a little.
    assert 0.9 < time.monotonic() - before < LONGEST_POLL_S


def test_no_long_poll_is_longer_than_twenty_seconds(aws: Aws) -> None:
    inbox = aws.queue()

    with pytest.raises(ClientError, match="InvalidParameterValue"):
        aws.receive(inbox, WaitTimeSeconds=LONGEST_POLL_S + 1)
