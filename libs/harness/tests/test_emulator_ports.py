"""What the emulator keeps does not depend on the port it listened on."""

import json
from pathlib import Path

import boto3
import pytest
from harness.process import ports
from harness.providers import emulator
from harness.providers.temporary_emulator import RunningEmulator, temporary_emulator
from harness.topology import messaging

REPO = Path(__file__).parents[3]
REGION = "us-east-1"
SESSION = boto3.session.Session("test", "test", region_name=REGION)


@pytest.fixture(scope="module")
def env_dir() -> Path:
    return emulator.install(REPO, REPO / ".cartwright", emulator.find_uv())


@pytest.fixture
def two_ports() -> tuple[int, int]:
    chosen = ports.choose({"first": 0, "second": 1}, {}, ephemeral=True)
    return chosen["first"], chosen["second"]


def make_queues(running: RunningEmulator) -> str:
    """A queue that a topic delivers to, its dead-letter queue; the topic's ARN."""
    sqs = messaging.sqs(running.endpoint_url)
    sns = SESSION.client("sns", endpoint_url=running.endpoint_url)
    arns = {}
    for name in ("inbox-dlq", "inbox"):
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        arns[name] = found["Attributes"]["QueueArn"]
    policy = {"deadLetterTargetArn": arns["inbox-dlq"], "maxReceiveCount": "5"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(policy)})
    topic = sns.create_topic(Name="events")["TopicArn"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arns["inbox"],
        Attributes={"RawMessageDelivery": "true"},
    )
    return topic


def publish(running: RunningEmulator, topic: str, body: str) -> None:
    sns = SESSION.client("sns", endpoint_url=running.endpoint_url)
    sns.publish(TopicArn=topic, Message=body)


def send(running: RunningEmulator, queue: str, body: str) -> None:
    messaging.sqs(running.endpoint_url).send_message(
        QueueUrl=url_of(running, queue), MessageBody=body
    )


def url_of(running: RunningEmulator, queue: str) -> str:
    return messaging.sqs(running.endpoint_url).get_queue_url(QueueName=queue)["QueueUrl"]


def bodies(running: RunningEmulator, queue: str) -> list[str]:
    """Received in one go, and visible again at once."""
    answer = messaging.sqs(running.endpoint_url).receive_message(
        QueueUrl=url_of(running, queue), MaxNumberOfMessages=10, VisibilityTimeout=0
    )
    return [message["Body"] for message in answer.get("Messages", [])]


def queue_urls(running: RunningEmulator) -> list[str]:
    return sorted(messaging.sqs(running.endpoint_url).list_queues()["QueueUrls"])


def test_a_port_that_was_taken_once_changes_nothing(
    env_dir: Path, tmp_path: Path, two_ports: tuple[int, int]
) -> None:
    usual, other = two_ports
    with temporary_emulator(REPO, env_dir, tmp_path, port=usual) as first:
        topic = make_queues(first)
        send(first, "inbox", "from the first start")
        send(first, "inbox-dlq", "a dead letter")

    with temporary_emulator(REPO, env_dir, tmp_path, port=other) as second:
        assert make_queues(second) == topic
        publish(second, topic, "from the second")
        assert bodies(second, "inbox") == ["from the first start", "from the second"]

    with temporary_emulator(REPO, env_dir, tmp_path, port=usual) as third:
        make_queues(third)
        publish(third, topic, "from the third")
        received = bodies(third, "inbox")
        letters = bodies(third, "inbox-dlq")
        urls = queue_urls(third)

    assert received == ["from the first start", "from the second", "from the third"]
    assert letters == ["a dead letter"]
    account = topic.split(":")[4]
    assert urls == [f"http://127.0.0.1:{usual}/{account}/{name}" for name in ("inbox", "inbox-dlq")]


def test_what_an_older_version_split_is_joined_and_nothing_is_lost_or_doubled(
    env_dir: Path, tmp_path: Path, two_ports: tuple[int, int]
) -> None:
    """Two sets of queues, one a port, as they were left in one file of state."""
    for name, port in zip(("old", "new"), two_ports, strict=True):
        with temporary_emulator(REPO, env_dir, tmp_path / name, port=port) as running:
            topic = make_queues(running)
            send(running, "inbox", f"in the {name} set")
            send(running, "inbox-dlq", f"dead in the {name} set")
    old, new = (json.loads((tmp_path / name / "sqs.json").read_text()) for name in ("old", "new"))
    for store in ("queues", "queue_name_to_url"):
        new["payload"][store]["data"] = (
            old["payload"][store]["data"] | new["payload"][store]["data"]
        )
    assert len(new["payload"]["queues"]["data"]) == 4
    (tmp_path / "new" / "sqs.json").write_text(json.dumps(new))

    for _ in range(2):  # The second time nothing is left to join.
        with temporary_emulator(REPO, env_dir, tmp_path / "new", port=two_ports[0]) as joined:
            received = bodies(joined, "inbox")
            letters = bodies(joined, "inbox-dlq")
            assert received == ["in the old set", "in the new set"]
            assert letters == ["dead in the old set", "dead in the new set"]
            assert len(queue_urls(joined)) == 2

    with temporary_emulator(REPO, env_dir, tmp_path / "new", port=two_ports[1]) as joined:
        publish(joined, topic, "published")
        assert bodies(joined, "inbox")[-1] == "published"
