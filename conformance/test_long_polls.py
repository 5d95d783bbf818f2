"""Long polls, told apart from sleeps by which call has answered, and two publishers at once."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from harness.eventually import eventually

from conformance.aws import ARRIVES_WITHIN_S, SHORT_VISIBILITY_S, Aws, entries, event_type

LONGEST_POLL_S = 20
# A poll that woke for its message ends far below this; one that slept through it takes 20 s.
WOKEN_WITHIN_S = 15


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
        aws.send(inbox, "1")

        assert received() == ["1"]


def test_a_long_poll_answers_as_soon_as_a_message_is_published(aws: Aws) -> None:
    topic = aws.topic()
    inbox = aws.subscribed(topic, "order.placed")

    with long_poll(aws, inbox) as received:
        aws.sns.publish(TopicArn=topic, Message="1", MessageAttributes=event_type())

        assert received() == ["1"]


def test_two_long_polls_of_a_queue_both_get_something(aws: Aws) -> None:
    inbox = aws.queue()

    with long_poll(aws, inbox, polls=2) as received:
        aws.send(inbox, "1", "2")
        # A poll may take both; then the other one gets this.
        eventually(lambda: aws.depth(inbox).in_flight == 2, ARRIVES_WITHIN_S)
        aws.send(inbox, "3")

        assert sorted(received())[:2] == ["1", "2"]


def test_a_long_poll_answers_when_a_hidden_message_comes_back(aws: Aws) -> None:
    inbox = aws.queue(VisibilityTimeout=str(SHORT_VISIBILITY_S))
    aws.send(inbox, "1")
    assert aws.bodies(inbox) == ["1"]

    with long_poll(aws, inbox) as received:
        assert received() == ["1"]


def test_a_long_poll_answers_when_a_delayed_message_is_due(aws: Aws) -> None:
    inbox = aws.queue()
    aws.sqs.send_message(QueueUrl=inbox, MessageBody="1", DelaySeconds=1)

    with long_poll(aws, inbox) as received:
        assert received() == ["1"]


def test_a_long_poll_of_an_empty_queue_waits_as_long_as_the_queue_says(aws: Aws) -> None:
    inbox = aws.queue(ReceiveMessageWaitTimeSeconds="1")
    before = time.monotonic()

    answer = aws.sqs.receive_message(QueueUrl=inbox)

    assert answer.get("Messages", []) == []
    # The server's clock and ours may differ in what a second is, a little.
    assert time.monotonic() - before > 0.9


def test_nothing_is_lost_between_two_publishers_and_four_consumers(aws: Aws) -> None:
    topic = aws.topic()
    inbox = aws.subscribed(topic, "order.placed")
    total = 400
    received: Counter[str] = Counter()
    lock = threading.Lock()

    def publish(first: int) -> None:
        for start in range(first, total, 20):
            batch = entries([str(i) for i in range(start, start + 10)], "Message")
            answer = aws.sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=batch)
            assert len(answer["Successful"]) == 10

    def consume() -> None:
        # Ends a while after the last one came: what is missing then is lost.
        while messages := aws.receive(inbox, WaitTimeSeconds=2):
            batch = [
                {"Id": str(i), "ReceiptHandle": message["ReceiptHandle"]}
                for i, message in enumerate(messages)
            ]
            aws.sqs.delete_message_batch(QueueUrl=inbox, Entries=batch)  # type: ignore[arg-type]
            with lock:
                received.update(message["Body"] for message in messages)

    with ThreadPoolExecutor(6) as pool:
        publishers = [pool.submit(publish, first) for first in (0, 10)]
        consumers = [pool.submit(consume) for _ in range(4)]
        for task in (*publishers, *consumers):
            task.result()
    while received.total() < total and (late := aws.receive(inbox, WaitTimeSeconds=2)):
        received.update(message["Body"] for message in late)

    # At least once, on AWS; the two emulators never double, but nothing here may count on it.
    assert set(received) == {str(i) for i in range(total)}
