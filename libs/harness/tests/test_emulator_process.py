"""The emulator's process: who may reach it, what it gives and keeps, and when it ends."""

import contextlib
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import psutil
import pytest
from botocore.config import Config
from harness.eventually import eventually
from harness.process import control, ports
from harness.providers import emulator
from harness.providers.temporary_emulator import (
    EmulatorDidNotStart,
    RunningEmulator,
    temporary_emulator,
)

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

REPO = Path(__file__).parents[3]
# Less than the 20 s of a long poll.
ENDS_WITHIN_S = 15
# A guard against hangs: on a busy machine a save of a full queue takes seconds.
SAVES_WITHIN_S = 90


@pytest.fixture(scope="module")
def env_dir() -> Path:
    return emulator.install(REPO, REPO / ".cartwright", emulator.find_uv())


@pytest.fixture(scope="module")
def running(env_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    with temporary_emulator(REPO, env_dir, tmp_path_factory.mktemp("emulator")) as it:
        yield it


# Loading a service's description takes a quarter of a second: once is enough.
SESSION = boto3.session.Session("test", "test", region_name="us-east-1")


def sqs_of(running: RunningEmulator) -> "SQSClient":
    settings = Config(connect_timeout=2, read_timeout=25, retries={"total_max_attempts": 1})
    return SESSION.client("sqs", endpoint_url=running.endpoint_url, config=settings)


def open_long_poll(running: RunningEmulator, url: str) -> http.client.HTTPConnection:
    """A connection that is owed the answer to a poll of 20 s; the emulator has read the request."""
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=ENDS_WITHIN_S)
    poll = json.dumps({"QueueUrl": url, "WaitTimeSeconds": 20})
    connection.request("POST", "/", poll, {"X-Amz-Target": "AmazonSQS.ReceiveMessage"})
    # Another request, sent after it, is answered.
    assert emulator.is_healthy(running.port)
    return connection


def fill_a_queue(sqs: "SQSClient") -> str:
    """The URL of one that takes long enough to write for a test to come between."""
    url = sqs.create_queue(QueueName="long")["QueueUrl"]
    for _ in range(100):
        entries = [{"Id": str(n), "MessageBody": "x" * 10_000} for n in range(10)]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
    return url


# Starting


def test_it_does_not_start_with_another_version(env_dir: Path, tmp_path: Path) -> None:
    """Metadata of another version, found before the installed one."""
    (tmp_path / "ministack-9.9.9.dist-info").mkdir()
    metadata = "Metadata-Version: 2.1\nName: ministack\nVersion: 9.9.9\n"
    (tmp_path / "ministack-9.9.9.dist-info" / "METADATA").write_text(metadata)

    with (
        pytest.raises(EmulatorDidNotStart) as raised,
        temporary_emulator(REPO, env_dir, tmp_path / "state", {"PYTHONPATH": str(tmp_path)}),
    ):
        pass

    assert "found it 9.9.9" in str(raised.value)
    assert "uv sync --project infra/emulator --frozen" in str(raised.value)


# Health


def test_it_is_healthy_where_it_runs_and_nowhere_else(running: RunningEmulator) -> None:
    elsewhere = ports.choose({"aws": 0}, {}, ephemeral=True)["aws"]

    assert emulator.is_healthy(running.port)
    assert not emulator.is_healthy(elsewhere)


# Who may reach it


def test_it_listens_on_loopback_and_on_one_port(running: RunningEmulator) -> None:
    sockets = psutil.Process(running.pid).net_connections("inet")

    listening = [it.laddr for it in sockets if it.status == psutil.CONN_LISTEN or not it.status]

    assert listening == [("127.0.0.1", running.port)]


def test_it_does_not_start_on_another_interface(env_dir: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(EmulatorDidNotStart, match=r"listens on 127\.0\.0\.1 only"),
        temporary_emulator(REPO, env_dir, tmp_path, {"BIND_HOST": "0.0.0.0"}),  # noqa: S104
    ):
        pass


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/_ministack/reset"), ("OPTIONS", "/"), ("GET", "/_ministack/health"), ("POST", "/")],
)
def test_a_web_page_is_refused(running: RunningEmulator, method: str, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=5)

    connection.request(method, path, headers={"Origin": "https://somewhere.example"})
    answer = connection.getresponse()

    assert answer.status == 403
    assert answer.getheader("Access-Control-Allow-Origin") is None
    connection.close()


def test_a_web_page_cannot_empty_the_queues(running: RunningEmulator) -> None:
    sqs = sqs_of(running)
    url = sqs.create_queue(QueueName="kept")["QueueUrl"]
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=5)

    connection.request("POST", "/_ministack/reset", headers={"Origin": "null"})
    connection.getresponse().read()

    assert sqs.get_queue_url(QueueName="kept")["QueueUrl"] == url
    connection.close()


# Receiving


def test_a_poll_whose_caller_hung_up_takes_no_message(running: RunningEmulator) -> None:
    sqs = sqs_of(running)
    url = sqs.create_queue(QueueName="abandoned")["QueueUrl"]
    connection = open_long_poll(running, url)

    connection.close()
    sqs.send_message(QueueUrl=url, MessageBody="1")

    [message] = sqs.receive_message(
        QueueUrl=url, MessageSystemAttributeNames=["ApproximateReceiveCount"], WaitTimeSeconds=5
    )["Messages"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"


def test_a_stale_receipt_handle_deletes_nothing(running: RunningEmulator) -> None:
    """AWS promises neither; this is the answer that a consumer must be able to live with."""
    sqs = sqs_of(running)
    url = sqs.create_queue(QueueName="stale")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="1")
    [first] = sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"]
    [second] = sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"]

    sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])

    [third] = sqs.receive_message(QueueUrl=url)["Messages"]
    assert third["MessageId"] == second["MessageId"]


# What it keeps


def test_a_stopped_emulator_comes_back_with_its_messages(env_dir: Path, tmp_path: Path) -> None:
    with temporary_emulator(REPO, env_dir, tmp_path) as first:
        url = sqs_of(first).create_queue(QueueName="kept")["QueueUrl"]
        sqs_of(first).send_message(QueueUrl=url, MessageBody="1")
        sqs_of(first).send_message(QueueUrl=url, MessageBody="2")
        sqs_of(first).receive_message(QueueUrl=url, VisibilityTimeout=600)

    with temporary_emulator(REPO, env_dir, tmp_path) as second:
        sqs = sqs_of(second)
        url = sqs.get_queue_url(QueueName="kept")["QueueUrl"]
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]

    assert [message["Body"] for message in messages] == ["2"]


def test_a_killed_emulator_comes_back_with_what_it_saved(env_dir: Path, tmp_path: Path) -> None:
    saving = {"EMULATOR_SAVE_EVERY_S": "0.1"}
    saved = tmp_path / "sqs.json"
    with temporary_emulator(REPO, env_dir, tmp_path, saving) as first:
        url = sqs_of(first).create_queue(QueueName="kept")["QueueUrl"]
        sqs_of(first).send_message(QueueUrl=url, MessageBody="before the crash")
        eventually(
            lambda: saved.exists() and "before the crash" in saved.read_text(), SAVES_WITHIN_S
        )
        psutil.Process(first.pid).kill()

    with temporary_emulator(REPO, env_dir, tmp_path) as second:
        sqs = sqs_of(second)
        url = sqs.get_queue_url(QueueName="kept")["QueueUrl"]
        [message] = sqs.receive_message(QueueUrl=url)["Messages"]

    assert message["Body"] == "before the crash"


def test_it_saves_again_after_a_save_that_failed_and_once_more_at_the_end(
    env_dir: Path, tmp_path: Path
) -> None:
    saved, log = tmp_path / "sqs.json", tmp_path / "emulator.log"
    with temporary_emulator(REPO, env_dir, tmp_path, {"EMULATOR_SAVE_EVERY_S": "0.001"}) as it:
        sqs, emulator = sqs_of(it), psutil.Process(it.pid)
        url = fill_a_queue(sqs)

        def a_writer_was_killed() -> bool:
            for writer in emulator.children():
                with contextlib.suppress(psutil.NoSuchProcess):
                    writer.kill()
            return "Not saved: who was to write it ended with -9" in log.read_text()

        eventually(a_writer_was_killed, SAVES_WITHIN_S)
        sqs.send_message(QueueUrl=url, MessageBody="after the failure")
        eventually(
            lambda: saved.exists() and "after the failure" in saved.read_text(), SAVES_WITHIN_S
        )
        sqs.send_message(QueueUrl=url, MessageBody="the last one")

    assert "the last one" in saved.read_text()


def test_what_it_was_writing_ends_with_it_when_it_is_killed(env_dir: Path, tmp_path: Path) -> None:
    """Or its port would stay taken, and what is old be written over what is new."""
    with temporary_emulator(REPO, env_dir, tmp_path, {"EMULATOR_SAVE_EVERY_S": "0.001"}) as it:
        sqs, emulator = sqs_of(it), psutil.Process(it.pid)
        fill_a_queue(sqs)
        writers: list[psutil.Process] = []
        eventually(lambda: bool(writers.extend(emulator.children()) or writers), SAVES_WITHIN_S)

        emulator.kill()

        eventually(lambda: not any(map(control.is_alive, writers)), ENDS_WITHIN_S)


# When it ends


def test_it_ends_promptly_and_answers_its_open_long_polls(env_dir: Path, tmp_path: Path) -> None:
    with temporary_emulator(REPO, env_dir, tmp_path) as it:
        url = sqs_of(it).create_queue(QueueName="empty")["QueueUrl"]
        connection = open_long_poll(it, url)
        process = psutil.Process(it.pid)

        process.terminate()
        answer = connection.getresponse()
        # A zombie until `temporary_emulator` reaps it.
        eventually(lambda: process.status() == psutil.STATUS_ZOMBIE, ENDS_WITHIN_S)

    assert (answer.status, json.loads(answer.read())) == (200, {})
    connection.close()


# Starts the emulator in a thread that ends, prints its pid once it is healthy, and lives on.
PARENT = """
import os, subprocess, sys, threading
from pathlib import Path
from harness.providers import emulator

repo, env_dir, state_dir = (Path(argument) for argument in sys.argv[1:4])
port = int(sys.argv[4])
parent = {"CARTWRIGHT_PARENT_PID": str(os.getpid())}
started = []
def start():
    started.append(subprocess.Popen(
        emulator.command(repo, env_dir),
        env={**os.environ, **emulator.environment(port, state_dir), **parent},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ))
    while not emulator.is_healthy(port):
        assert started[0].poll() is None
thread = threading.Thread(target=start)
thread.start()
thread.join()
print(started[0].pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_it_ends_with_its_parent_but_not_with_the_thread_that_started_it(
    env_dir: Path, tmp_path: Path
) -> None:
    port = ports.choose({"aws": 0}, {}, ephemeral=True)["aws"]
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(REPO), str(env_dir), str(tmp_path), str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    try:
        sqs = sqs_of(RunningEmulator(port, child.pid, f"http://127.0.0.1:{port}"))
        sqs.create_queue(QueueName="q")  # It answers, though the thread that started it is gone.

        parent.kill()
        parent.communicate()

        eventually(lambda: not control.is_alive(child), ENDS_WITHIN_S, "the emulator to end")
    finally:
        for process in (parent, child):
            if process.pid in psutil.pids():
                process.kill()
    assert '"q"' in (tmp_path / "sqs.json").read_text()
