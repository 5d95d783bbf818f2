"""A worker's loops: they outlive failures, wake one another, and end on a signal."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from common.worker import Loop

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
        timeout=20,
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
        process.communicate(timeout=20)

    assert rounds == [b"round"] * 3


def test_a_loop_that_comes_with_time_still_ends_at_once() -> None:
    stop, started = threading.Event(), threading.Event()
    loop = Loop("sweeper", lambda: started.set() or 0, every_s=3600)
    thread = threading.Thread(target=loop.run, args=(stop,))
    thread.start()
    started.wait(10)

    stop.set()
    thread.join(10)

    assert not thread.is_alive()


def test_work_done_wakes_the_others() -> None:
    relay = Loop("relay", lambda: 0)

    run_until(Loop("consumer", lambda: 1, wakes=[relay]), rounds=1)

    assert relay.wake.is_set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_even_in_the_middle_of_its_logging(
    number: signal.Signals,
) -> None:
    environment = os.environ | {"SERVICE_NAME": "probe"}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        while process.stdout.readline().strip() != "round":
            continue  # Its start is logged before; the first round is when it runs.
        process.send_signal(number)
        output, _ = process.communicate(timeout=20)

    assert process.returncode == 0
    assert output.rstrip().endswith("ended")
