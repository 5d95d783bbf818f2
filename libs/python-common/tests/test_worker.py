"""A worker's loops: they outlive failures, are woken for work, and end on a signal."""

import os
import queue
import re
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from common import aws
from common.db import Database
from common.events import RELAY, Event, publish
from common.worker import Loop, messaging_loops
from sqlalchemy import text

PROGRAM = """
import sys
from common import worker
from common.worker import Loop

worker.install()
def busy() -> int:
    print("round", flush=True)
    return 1
worker.run([Loop("busy", busy), Loop("idle", lambda: 0)])
print("ended", flush=True)
"""


LOSING = """
import os
import select
import sys
import threading
from common import worker
from common.worker import Loop

worker.install()
def ends() -> int:
    raise SystemExit  # Past every `except Exception`.
def hangs() -> int:
    threading.Event().wait()
    return 0
lost = {"dead": Loop("lost", ends), "stuck": Loop("lost", hangs, stuck_after_s=0.1)}
worker.STOP_WITHIN_S = 0.1
worker.run([lost[sys.argv[1]], Loop("idle", lambda: 0)])
"""

# A port that nobody may listen on, as a user.
NOBODY_TO_SEND_TO = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
LONGER_THAN_A_WATCH_S = 0.1
# No process takes that long to do what is waited for, however busy the machine.
HANGS_AFTER_S = 90
WATCHFUL = """
from common import worker
from common.worker import Loop

worker.install()
worker.WATCH_EVERY_S = 0.05
worker.run([Loop("idle", lambda: 0, every_s=60)])
"""

BEATING = """
import os
from pathlib import Path
from common import worker
from common.worker import Loop

worker.install()
worker.WATCH_EVERY_S = 0.05
heartbeat = Path(os.environ["HEARTBEAT_FILE"])
def looks() -> int:
    if heartbeat.exists():
        heartbeat.unlink()
        print("beat", flush=True)
    return 0
worker.run([Loop("looks", looks)])
"""

STANDING = """
import os
import threading
from pathlib import Path
from common import worker
from common.worker import Loop

worker.install()
worker.WATCH_EVERY_S = 0.05
heartbeat = Path(os.environ["HEARTBEAT_FILE"])
def stands() -> int:
    threading.Event().wait()
    return 0
standing = Loop("standing", stands, stuck_after_s=0)
def looks() -> int:
    if standing.is_stuck and heartbeat.exists():
        heartbeat.unlink()
        print("beat", flush=True)
    return 0
worker.run([standing, Loop("looks", looks)])
"""

FULL = """
import sys
from common import worker
from common.worker import Loop

worker.install()
def fails() -> int:
    print("round", file=sys.stderr, flush=True)
    raise ConnectionError("down")
worker.run([Loop("failing", fails)])
"""


def run_until(loop: Loop, rounds: int) -> int:
    """Run *loop* in this thread until *rounds* rounds are over; return how many there were."""
    stop, count, once = threading.Event(), 0, loop.run_once

    def counted() -> int:
        nonlocal count
        count += 1
        if count == rounds:
            stop.set()
        return once()

    loop.run_once = counted
    loop.run(stop)
    return count


def test_a_loop_that_finds_work_looks_again_at_once() -> None:
    assert run_until(Loop("busy", lambda: 1), rounds=100) == 100


def test_a_loop_outlives_what_its_round_raises() -> None:
    def fail() -> int:
        raise ConnectionError("down")

    assert run_until(Loop("failing", fail), rounds=2) == 2


def test_after_a_failure_a_loop_looks_whether_the_next_round_makes_sense() -> None:
    rounds = [ConnectionError("down"), 1]
    looks = iter([ConnectionError("still down"), ConnectionError("still down"), None])
    seen: list[str] = []

    def once() -> int:
        seen.append("round")
        outcome = rounds.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        stop.set()
        return outcome

    def look() -> None:
        seen.append("look")
        if error := next(looks):
            raise error

    stop = threading.Event()
    Loop("consumer", once, recover=look).run(stop)

    assert seen == ["round", "look", "look", "look", "round"]


@pytest.mark.parametrize("how", ["dead", "stuck"])
def test_a_process_that_lost_a_loop_says_so_and_ends(how: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LOSING, how],
        capture_output=True,
        text=True,
        env=os.environ | {"SERVICE_NAME": "probe"},
        timeout=HANGS_AFTER_S,
        check=False,
    )

    assert ended.returncode == 1
    assert '"loops":["lost"]' in ended.stdout


def test_a_log_that_takes_no_more_lines_ends_nothing() -> None:
    with (
        Path("/dev/full").open("w") as full,
        subprocess.Popen(
            [sys.executable, "-c", FULL],
            stdout=full,
            stderr=subprocess.PIPE,
            env=os.environ | {"SERVICE_NAME": "probe"},
        ) as process,
    ):
        assert process.stderr is not None
        rounds = [process.stderr.readline().strip() for _ in range(3)]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=HANGS_AFTER_S)

    assert rounds == [b"round"] * 3


def test_a_loop_that_comes_with_time_still_ends_at_once() -> None:
    stop, started = threading.Event(), threading.Event()
    loop = Loop("sweeper", lambda: started.set() or 0, every_s=3600)
    thread = threading.Thread(target=loop.run, args=(stop,), daemon=True)
    thread.start()
    started.wait(10)

    stop.set()
    loop.wake.set()  # As `run` does.
    thread.join(10)

    assert not thread.is_alive()


def test_after_a_batch_that_was_not_full_nothing_is_looked_for_at_once() -> None:
    looked = threading.Semaphore(0)
    loop = Loop("relay", lambda: looked.release() or 9, every_s=3600, batch_size=10)
    stop = threading.Event()
    thread = threading.Thread(target=loop.run, args=(stop,), daemon=True)
    thread.start()
    looked.acquire(timeout=HANGS_AFTER_S)

    assert not looked.acquire(timeout=0.2)
    loop.wake.set()
    assert looked.acquire(timeout=HANGS_AFTER_S)
    stop.set()
    loop.wake.set()
    thread.join(10)


def test_no_wake_is_lost_however_close_to_a_look_the_commit_is(db: Database) -> None:
    """Each event waits until the one before was seen: a lost wake stands still for an hour."""
    seen: queue.Queue[int] = queue.Queue()

    def look() -> int:
        with db.transaction() as tx:
            seen.put(tx.execute(text("SELECT count(*) FROM outbox")).scalar_one())
        return 0

    loop = Loop(RELAY, look, every_s=3600)
    db.wakers = {RELAY: loop.wake.set}
    stop = threading.Event()
    thread = threading.Thread(target=loop.run, args=(stop,), daemon=True)
    thread.start()
    for number in range(1, 201):
        with db.transaction() as tx:
            publish(tx, Event("cup.filled", "cup-1", {}))
        while seen.get(timeout=HANGS_AFTER_S) < number:
            continue
    stop.set()
    loop.wake.set()
    thread.join(10)

    assert not thread.is_alive()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_even_in_the_middle_of_its_logging(
    number: signal.Signals,
) -> None:
    """Also with the threads that send spans and metrics, here to nobody."""
    environment = os.environ | {"SERVICE_NAME": "probe"} | NOBODY_TO_SEND_TO
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        while process.stdout.readline().strip() != "round":
            continue  # Its start is logged before; the first round is when it runs.
        process.send_signal(number)
        output, _ = process.communicate(timeout=HANGS_AFTER_S)

    assert process.returncode == 0
    assert output.rstrip().endswith("ended")


def test_a_consumer_that_failed_asks_the_database_before_it_receives(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(aws, "sqs", lambda _settings: None)
    monkeypatch.setattr(db, "ping", lambda: asked.append("database"))
    settings: Any = SimpleNamespace(
        topic_arn="",
        queue_url="http://q/inbox",
        dead_letter_queue_url="http://q/dlq",
        receive_wait_s=0,
    )

    [consumer] = [loop for loop in messaging_loops(settings, db, {}) if loop.name == "consumer"]
    consumer.recover()

    assert asked == ["database"]


def test_a_process_that_stood_still_goes_on_and_still_ends_well() -> None:
    """As under a debugger, or when its machine was paused."""
    environment = os.environ | {"SERVICE_NAME": "probe"}
    with subprocess.Popen(
        [sys.executable, "-c", WATCHFUL], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        try:
            while "worker_started" not in process.stdout.readline():
                continue
            for _ in range(5):
                process.send_signal(signal.SIGSTOP)
                said = select.select([process.stdout], [], [], LONGER_THAN_A_WATCH_S)
                process.send_signal(signal.SIGCONT)
                assert said == ([], [], []), "it stood still"
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=HANGS_AFTER_S)
        finally:
            process.kill()

    assert process.returncode == 0
    assert re.findall(r'"signal":"(\w+)"', output) == ["SIGTERM"], "and no signal nobody sent"


def three_beats(program: str, heartbeat: Path, **more: str) -> list[str]:
    """What *program* says of its first three heartbeats; "it ended" for each that does not come."""
    environment = os.environ | {"SERVICE_NAME": "probe", "HEARTBEAT_FILE": str(heartbeat)} | more
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        beats = (line for line in process.stdout if line == "beat\n")
        try:
            return [next(beats, "it ended") for _ in range(3)]
        finally:
            process.kill()


def test_a_worker_says_again_and_again_that_it_goes_on(tmp_path: Path) -> None:
    assert three_beats(BEATING, tmp_path / "beat") == ["beat\n"] * 3


def test_under_a_debugger_a_loop_may_stand_still(tmp_path: Path) -> None:
    assert three_beats(STANDING, tmp_path / "beat", DEBUGGED="1") == ["beat\n"] * 3
