"""What the shop relies on in SNS and SQS, as AWS documents it, held against each provider.

To hold another server to it, add how to start it to PROVIDERS.
"""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
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
LONGEST_POLL_S = 20
# A poll that woke for its message ends far below this; one that slept through it takes 20 s.
WOKEN_WITHIN_S = 5
# A second of short visibility, and time for a busy machine.
ARRIVES_WITHIN_S = 10
# Short enough to wait for, long enough to look at what is hidden.
SHORT_VISIBILITY_S = 1


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


@pytest.fixture(scope="module", params=PROVIDERS)
def aws(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    provider = PROVIDERS[request.param]
    settings = Config(
        connect_timeout=2,
        read_timeout=READ_TIMEOUT_S,
        retries={"total_max_attempts": 1},
        max_pool_connections=16,
    )
    with provider(tmp_path_factory.mktemp("state")) as endpoint_url:
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


def test_a_raw_message_with_eleven_attributes_is_not_delivered_but_kept(aws: Aws) -> None:
    topic = aws.topic()
    dead_letters = aws.queue()
    inbox = aws.subscribed(topic, "order.placed", dead_letters=aws.arn(dead_letters))

    aws.sns.publish(TopicArn=topic, Message="1", MessageAttributes=_eleven_attributes())

    assert aws.bodies(dead_letters) != []
    assert aws.depth(inbox).total == 0


def _eleven_attributes() -> Any:
    more = {f"more-{i}": {"DataType": "String", "StringValue": "x"} for i in range(10)}
    return {**event_type("order.placed"), **more}


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
    attributes = _eleven_attributes()

    with pytest.raises(ClientError, match="InvalidParameterValue"):
        aws.sqs.send_message(QueueUrl=inbox, MessageBody="1", MessageAttributes=attributes)
    del attributes["more-0"]
    aws.sqs.send_message(QueueUrl=inbox, MessageBody="2", MessageAttributes=attributes)

    [message] = aws.receive(inbox)
    assert message["MessageAttributes"] == attributes


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
