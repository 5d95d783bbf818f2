"""A dead letter comes back whole, once, and without its reason."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.stub import ANY, Stubber
from harness.providers import emulator
from harness.providers.temporary_emulator import temporary_emulator
from harness.topology import messaging, redrive

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

REPO = Path(__file__).parents[3]
ASKED = {
    "QueueUrl": "https://sqs.us-east-1.amazonaws.com/1/dead",
    "MaxNumberOfMessages": 10,
    "VisibilityTimeout": ANY,
    "MessageAttributeNames": ["All"],
    "MessageSystemAttributeNames": ["SentTimestamp"],
}


@pytest.fixture(scope="module")
def endpoint_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    env_dir = emulator.install(REPO, REPO / ".cartwright", emulator.find_uv())
    with temporary_emulator(REPO, env_dir, tmp_path_factory.mktemp("emulator")) as running:
        yield running.endpoint_url


@pytest.fixture
def queues(endpoint_url: str) -> tuple[str, str]:
    """A dead-letter queue and the queue it serves."""
    sqs, name = messaging.sqs(endpoint_url), uuid.uuid4().hex
    dead, live = (sqs.create_queue(QueueName=f"{name}{end}")["QueueUrl"] for end in ("-dlq", ""))
    return dead, live


def bury(sqs: "SQSClient", dead: str, number: int) -> None:
    sqs.send_message(
        QueueUrl=dead,
        MessageBody=f"body {number}",
        MessageAttributes={
            "event_type": {"DataType": "String", "StringValue": "order.placed"},
            "event_id": {"DataType": "String", "StringValue": f"id-{number}"},
            redrive.REASON: {"DataType": "String", "StringValue": "IllegalTransition: no"},
        },
    )


def test_looking_shows_each_letter_with_its_reason_and_leaves_it(
    endpoint_url: str, queues: tuple[str, str]
) -> None:
    dead, _ = queues
    for number in range(12):
        bury(messaging.sqs(endpoint_url), dead, number)

    first, second = (redrive.look(endpoint_url, dead) for _ in range(2))

    assert {letter.event_id for letter in first} == {f"id-{number}" for number in range(12)}
    assert {letter.reason for letter in first} == {"IllegalTransition: no"}
    assert sorted(first, key=repr) == sorted(second, key=repr)


def test_looking_at_letters_that_are_visible_again_by_then_is_harmless(
    endpoint_url: str, queues: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    dead, _ = queues
    bury(messaging.sqs(endpoint_url), dead, 1)
    monkeypatch.setattr(redrive, "HIDDEN_S", 0)  # As after a look that took longer.

    seen = redrive.look(endpoint_url, dead)

    assert [letter.event_id for letter in seen] == ["id-1"]


def test_a_letter_that_comes_back_meanwhile_is_not_moved_again(
    endpoint_url: str, queues: tuple[str, str]
) -> None:
    dead, live = queues
    bury(messaging.sqs(endpoint_url), dead, 1)

    moved = []
    for letter in redrive.redrive(endpoint_url, dead, live):
        moved.append(letter)
        bury(messaging.sqs(endpoint_url), dead, 1)  # As its consumer does.

    assert len(moved) == 1
    assert [letter.event_id for letter in redrive.look(endpoint_url, dead)] == ["id-1"]


def test_a_letter_comes_back_with_its_attributes_and_without_its_reason(
    endpoint_url: str, queues: tuple[str, str]
) -> None:
    dead, live = queues
    sqs = messaging.sqs(endpoint_url)
    bury(sqs, dead, 1)

    moved = list(redrive.redrive(endpoint_url, dead, live))

    [message] = sqs.receive_message(QueueUrl=live, MessageAttributeNames=["All"])["Messages"]
    assert [letter.event_id for letter in moved] == ["id-1"]
    assert message["Body"] == "body 1"
    assert message["MessageAttributes"].keys() == {"event_type", "event_id"}
    assert redrive.look(endpoint_url, dead) == []


def test_whoever_dies_between_sending_and_deleting_loses_nothing(
    endpoint_url: str, queues: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    dead, live = queues
    sqs = messaging.sqs(endpoint_url)
    bury(sqs, dead, 1)

    def die(**_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sqs, "delete_message", die)
        patch.setattr(redrive, "HIDDEN_S", 0)  # What is not deleted is there again at once.
        with pytest.raises(KeyboardInterrupt):
            list(redrive.redrive(endpoint_url, dead, live))

    assert [letter.event_id for letter in redrive.look(endpoint_url, dead)] == ["id-1"]
    assert messaging.depths(endpoint_url, {"live": live})["live"].visible == 1


def test_an_empty_queue_has_nothing_to_send_back(
    endpoint_url: str, queues: tuple[str, str]
) -> None:
    assert list(redrive.redrive(endpoint_url, *queues)) == []


@pytest.mark.parametrize(("endpoint_url", "wait_s"), [(None, 1), ("http://127.0.0.1:4566", 0)])
def test_on_aws_every_server_is_asked_for_letters(endpoint_url: str | None, wait_s: int) -> None:
    """A short poll asks some of them, and may find none where there are letters."""
    sqs = messaging.sqs(endpoint_url)
    with Stubber(sqs) as aws:
        aws.add_response("receive_message", {"Messages": []}, {**ASKED, "WaitTimeSeconds": wait_s})
        assert list(redrive.receive(sqs, ASKED["QueueUrl"])) == []
