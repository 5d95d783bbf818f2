"""The generated script, run by bash with a fake `awslocal` that writes down what it is asked."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from harness.topology import messaging
from harness.topology.model import Topology, load

REPO = Path(__file__).parents[3]
SCRIPT = REPO / "infra/localstack/init-aws.sh"

# Writes one line a call, its words separated by tabs; refuses to create what is named "$REFUSED".
AWSLOCAL = """\
#!/bin/sh
for word in "$@"; do [ "$word" = "$REFUSED" ] && exit 7; done
line=$(printf '%s\\t' "$@")
echo "$line" >> "$CALLS"
"""


@pytest.fixture
def shop() -> Topology:
    return load(REPO / "infra/topology.yaml")


def run(tmp_path: Path, refused: str = "") -> tuple[int, list[dict[str, str]]]:
    """The script's exit code, and each call as a dictionary of its options, in order."""
    bash = shutil.which("bash")
    assert bash is not None
    (tmp_path / "awslocal").write_text(AWSLOCAL)
    (tmp_path / "awslocal").chmod(0o755)
    calls = tmp_path / "calls"
    calls.touch()
    path = f"{tmp_path}:/usr/bin:/bin"
    variables = {"PATH": path, "CALLS": str(calls), "REFUSED": refused}

    code = subprocess.run([bash, SCRIPT], env=variables, check=False, timeout=30).returncode

    lines = [line.split("\t") for line in calls.read_text().splitlines()]
    return code, [_options(words) for words in lines]


def _options(words: list[str]) -> dict[str, str]:
    pairs = zip(words[2::2], words[3::2], strict=False)
    return {
        "call": " ".join(words[:2]),
        **{name.removeprefix("--"): value for name, value in pairs},
    }


def test_it_creates_every_topic_and_every_queue_with_its_dead_letter_queue_first(
    tmp_path: Path, shop: Topology
) -> None:
    code, calls = run(tmp_path)

    assert code == 0
    topics = {call["name"] for call in calls if call["call"] == "sns create-topic"}
    queues = [call["queue-name"] for call in calls if call["call"] == "sqs create-queue"]
    dead_letters = {shop.dead_letter_queue(queue) for queue in shop.queues}
    assert topics == set(shop.topics)
    assert set(queues) == set(shop.queues) | dead_letters
    assert set(queues[: len(dead_letters)]) == dead_letters


def test_its_queues_have_the_attributes_of_the_other_providers(
    tmp_path: Path, shop: Topology
) -> None:
    _, calls = run(tmp_path)

    created = {c["queue-name"]: c["attributes"] for c in calls if c["call"] == "sqs create-queue"}
    for queue in shop.queues:
        arn = f"arn:aws:sqs:us-east-1:000000000000:{queue}-dlq"
        assert json.loads(created[queue]) == messaging.queue_attributes(shop, arn)


def test_it_makes_every_subscription(tmp_path: Path, shop: Topology) -> None:
    _, calls = run(tmp_path)

    made = {
        (
            call["topic-arn"].rpartition(":")[2],
            call["notification-endpoint"].rpartition(":")[2],
            tuple(json.loads(json.loads(call["attributes"])["FilterPolicy"])["event_type"]),
        )
        for call in calls
        if call["call"] == "sns subscribe"
    }
    assert made == set(shop.subscriptions())


def test_it_fails_when_one_of_its_calls_fails(tmp_path: Path) -> None:
    code, calls = run(tmp_path, refused="order-inbox")

    assert code == 7
    assert not [call for call in calls if call["call"] == "sns subscribe"]
