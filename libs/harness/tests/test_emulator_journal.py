"""What the emulator notes of the messages that topics took, and how the audit reads it."""

import hashlib
import json
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import boto3
import psutil
import pytest
from botocore.exceptions import ClientError
from harness.audit import reader
from harness.audit.outside_books import read_publishes
from harness.process.endpoints import Endpoints
from harness.process.home import Home
from harness.providers import emulator
from harness.providers.temporary_emulator import temporary_emulator

REPO = Path(__file__).parents[3]
SESSION = boto3.session.Session("test", "test", region_name="us-east-1")
# Its own Python's, with a limit on how long files may become: the disk is full.
WRITES = """
import json, os, resource, sys
sys.path.insert(0, sys.argv[1])
from sns_journal import Journal

def written():
    with open(sys.argv[2]) as file:
        return [json.loads(line) for line in file]

def limit(bytes_):
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, most))

journal = Journal(sys.argv[2], bytes_max=90)
for number in range(3):
    journal.write({"number": number, "text": "x" * 20})
full = written()
limit(os.path.getsize(sys.argv[2]) + 5)
journal.write({"number": 3, "text": "x" * 40})
torn = written()
limit(resource.RLIM_INFINITY)
journal.write({"number": 4})
print(json.dumps([full, torn, written()]))
"""


@pytest.fixture(scope="module")
def env_dir() -> Path:
    return emulator.install(REPO, REPO / ".cartwright", emulator.find_uv())


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_what_topics_took_is_noted_with_its_attributes_and_without_its_text(
    env_dir: Path, tmp_path: Path
) -> None:
    """What was acknowledged outlives SIGKILL; what was refused is not there."""
    noted = tmp_path / "publishes.jsonl"
    where = {"EMULATOR_PUBLISH_JOURNAL": str(noted)}
    marked = {"event_id": {"DataType": "String", "StringValue": "e-1"}}
    began = time.time()

    with temporary_emulator(REPO, env_dir, tmp_path, where) as it:
        sns = SESSION.client("sns", endpoint_url=it.endpoint_url)
        topic = sns.create_topic(Name="events")["TopicArn"]
        queue = sns.create_topic(Name="events.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
        first = sns.publish(TopicArn=topic, Message="tea for Zoë", MessageAttributes=marked)
        with pytest.raises(ClientError, match="too long"):
            sns.publish(TopicArn=topic, Message="x" * 300_000)
        grouped = {"MessageGroupId": "g", "MessageDeduplicationId": "d"}
        [second] = sns.publish_batch(
            TopicArn=queue,
            PublishBatchRequestEntries=[
                {"Id": "taken", "Message": "two", **grouped},
                {"Id": "refused", "Message": "of no group"},
            ],
        )["Successful"]
        psutil.Process(it.pid).kill()
    with temporary_emulator(REPO, env_dir, tmp_path, where) as it:
        sns = SESSION.client("sns", endpoint_url=it.endpoint_url)
        third = sns.publish(TopicArn=sns.create_topic(Name="events")["TopicArn"], Message="three")

    read = read_publishes(noted)
    assert read
    assert [(row["topic"], row["message_id"], row["digest"]) for row in read.rows] == [
        ("events", first["MessageId"], digest("tea for Zoë")),
        ("events.fifo", second["MessageId"], digest("two")),
        ("events", third["MessageId"], digest("three")),
    ]
    assert [row.get("event_id") for row in read.rows] == ["e-1", None, None]
    assert began < read.since < read.rows[0]["at"] < read.rows[2]["at"] < read.until
    assert "tea" not in noted.read_text()


def test_a_journal_that_is_full_or_cannot_be_written_begins_anew_after_what_may_miss(
    env_dir: Path, tmp_path: Path
) -> None:
    """Who told something just before that notes so only afterwards, and must not be accused."""
    python, _ = emulator.command(REPO, env_dir)
    path = tmp_path / "publishes.jsonl"
    arguments = [python, "-c", WRITES, str(REPO / emulator.PROGRAM), str(path)]
    ran = subprocess.run(arguments, check=True, capture_output=True, text=True)

    full, torn, whole = json.loads(ran.stdout)
    now = time.time()

    assert [row.get("number") for row in full] == [None, 2]
    assert now + 30 < full[0]["since"] < now + 90
    assert torn == []
    assert [row.get("number") for row in whole] == [None, 4]
    assert now + 30 < whole[0]["since"] < now + 90
    assert "not noted: there is no room" in ran.stderr


def test_a_journal_that_is_missing_emptied_or_damaged_accuses_nobody(tmp_path: Path) -> None:
    path = tmp_path / "publishes.jsonl"

    assert read_publishes(path) is None
    for text in ("", '{"since"', '{"since": 1.0}\nnonsense\n', '{"at": 1.0}\n'):
        path.write_text(text)
        assert read_publishes(path) is None
    path.write_text('{"since": 1.0}\n{"at": 2.0, "attri')
    read = read_publishes(path)
    assert read
    assert (read.since, read.rows) == (1.0, [])


def test_messages_of_self_tests_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "publishes.jsonl"
    marked = ({"self_test": "t"}, {"event_id": "e-1"})
    rows = [{"at": 2.0, "attributes": attributes} for attributes in marked]
    path.write_text("".join(json.dumps(row) + "\n" for row in ({"since": 1.0}, *rows)))

    read = read_publishes(path)

    assert read
    assert read.rows == [{"at": 2.0, "event_id": "e-1"}]


@pytest.mark.parametrize(("provider", "is_read"), [("embedded", True), ("containers", False)])
def test_a_journal_is_read_only_where_the_emulator_is_ours(
    tmp_path: Path, provider: str, *, is_read: bool
) -> None:
    """An embedded shop may have had the same home before."""
    Home(tmp_path).publishes_file.write_text('{"since": 1.0}\n')
    shop = cast(Endpoints, SimpleNamespace(provider=provider, home=str(tmp_path)))

    assert (reader._publishes(shop) is not None) is is_read
