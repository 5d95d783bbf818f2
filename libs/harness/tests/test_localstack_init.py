"""The generated script, run by Python with a fake `boto3` that writes down what it is asked."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from harness.topology import messaging
from harness.topology.model import Topology, load

REPO = Path(__file__).parents[3]
SCRIPT = REPO / "infra/localstack/init-aws.py"

# Prints one line a call; refuses to create what is named $REFUSED.
BOTO3 = """
import json, os
class Session:
    def __init__(self, *credentials, region_name): self.region = region_name
    def client(self, service, **options): return Client(service)
class Client:
    def __init__(self, service): self.service = service
    def __getattr__(self, operation):
        def call(**arguments):
            if os.environ["REFUSED"] in arguments.values():
                raise RuntimeError("refused")
            print(json.dumps({"call": f"{self.service} {operation}", **arguments}))
        return call
"""
BOTOCORE = "def Config(**options): return options"
# As LocalStack runs it: no name, no file, without arguments of its own.
LIKE_LOCALSTACK = "import sys; exec(open(sys.argv[1], 'rb').read(), {})"


@pytest.fixture
def shop() -> Topology:
    return load(REPO / "infra/topology.yaml")


def run(tmp_path: Path, refused: str = "") -> tuple[int, list[dict[str, Any]]]:
    """The script's exit code, and each call with its arguments, in order."""
    (tmp_path / "boto3.py").write_text(BOTO3)
    (tmp_path / "botocore").mkdir()
    (tmp_path / "botocore" / "config.py").write_text(BOTOCORE)
    ended = subprocess.run(
        [sys.executable, "-c", LIKE_LOCALSTACK, SCRIPT],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path), "REFUSED": refused},
        capture_output=True,
        check=False,
        timeout=90,
    )
    return ended.returncode, [json.loads(line) for line in ended.stdout.splitlines()]


def test_it_creates_every_topic_and_every_queue_with_its_dead_letter_queue_first(
    tmp_path: Path, shop: Topology
) -> None:
    code, calls = run(tmp_path)

    assert code == 0
    topics = {call["Name"] for call in calls if call["call"] == "sns create_topic"}
    queues = [call["QueueName"] for call in calls if call["call"] == "sqs create_queue"]
    dead_letters = {shop.dead_letter_queue(queue) for queue in shop.queues}
    assert topics == set(shop.topics)
    assert set(queues) == set(shop.queues) | dead_letters
    assert set(queues[: len(dead_letters)]) == dead_letters


def test_its_queues_have_the_attributes_of_the_other_providers(
    tmp_path: Path, shop: Topology
) -> None:
    _, calls = run(tmp_path)

    created = {c["QueueName"]: c["Attributes"] for c in calls if c["call"] == "sqs create_queue"}
    for queue in shop.queues:
        arn = f"arn:aws:sqs:us-east-1:000000000000:{queue}-dlq"
        assert created[queue] == messaging.queue_attributes(shop, arn)


def test_it_makes_every_subscription(tmp_path: Path, shop: Topology) -> None:
    _, calls = run(tmp_path)

    made = {
        (
            call["TopicArn"].rpartition(":")[2],
            call["Endpoint"].rpartition(":")[2],
            tuple(json.loads(call["Attributes"]["FilterPolicy"])["event_type"]),
        )
        for call in calls
        if call["call"] == "sns subscribe"
    }
    assert made == set(shop.subscriptions())


def test_it_fails_when_one_of_its_calls_fails(tmp_path: Path) -> None:
    code, calls = run(tmp_path, refused="order-inbox")

    assert code == 1
    assert not [call for call in calls if call["call"] == "sns subscribe"]
