"""A real supervisor with small processes: what it restarts, what it gives up, what it leaves."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from harness import stack
from harness.eventually import eventually
from harness.process import control, supervisor
from harness.process.failure import StackDidNotStart
from harness.process.home import Home, HomeInUse, whole_lines
from harness.process.stack_config import Launch
from harness.providers.local import LocalProvider

PLANS = Path(__file__).parent / "supervised_for_tests"
# The fork server's imports take 1.5 s on an idle core and several on one that is not.
UP_WITHIN_S = 60
DOWN_WITHIN_S = 20
GONE_WITHIN_S = 60
WAITING = "import signal; signal.pause()"


@contextmanager
def launched(home: Home, plan: str) -> Iterator["subprocess.Popen[bytes]"]:
    home.create()
    Launch(f"tiny_plan:{plan}", str(PLANS), [str(PLANS)], {}).write(home)
    with home.log_file("supervisor").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "harness.process.supervisor", "--home", str(home.path)],
            env={**os.environ, "PYTHONPATH": str(PLANS)},
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(DOWN_WITHIN_S)


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    # Longer than the 107 bytes that a unix socket's path may have.
    home = Home(tmp_path_factory.mktemp("a-rather-long-name-for-a-home-" + "x" * 90))
    with launched(home, "steady"):
        eventually(lambda: state_of(home)["status"] == "running", UP_WITHIN_S)
        yield home


@pytest.fixture
def home(steady: Home) -> Home:
    """Whole again, whatever the test before has killed; the neighbour may have been given up."""
    for name in ("fork-server", "program", "forked", "forking"):
        eventually(partial(is_ready_besides, steady, name, 0), UP_WITHIN_S, name)
    return steady


def state_of(home: Home) -> dict[str, Any]:
    return home.read_state() or {"status": "", "processes": {}}


def process_state(home: Home, name: str) -> dict[str, Any]:
    found: dict[str, Any] = state_of(home)["processes"][name]
    return found


def recorded_exits(home: Home, name: str) -> list[dict[str, Any]]:
    lines = map(json.loads, whole_lines(home.restarts_file))
    return [line for line in lines if line["process"] == name]


def is_recorded(home: Home, name: str, pid: int) -> bool:
    return pid in {line["pid"] for line in recorded_exits(home, name)}


def pids_of(home: Home) -> dict[int, float]:
    """Every process under the supervisor, whether it is recorded or not."""
    tree = psutil.Process(state_of(home)["supervisor"]["pid"]).children(recursive=True)
    return {process.pid: process.create_time() for process in tree}


def alive(pids: dict[int, float]) -> list[int]:
    return [
        pid
        for pid, created in pids.items()
        if control.same_process({"pid": pid, "create_time": created})
    ]


@pytest.mark.parametrize("name", ["program", "forked"])
def test_a_killed_process_comes_back_and_its_death_is_written_down(home: Home, name: str) -> None:
    before = process_state(home, name)

    killed = supervisor.kill(home.path, name)

    after = eventually(
        lambda: (
            (now := process_state(home, name))["restarts"] > before["restarts"]
            and now["state"] == "ready"
            and now
        ),
        within_s=GONE_WITHIN_S,
    )
    assert killed == before["pid"] != after["pid"]
    (line,) = (line for line in recorded_exits(home, name) if line["pid"] == killed)
    assert (line["signal"], line["exit_code"]) == ("SIGKILL", None)


def test_a_killed_process_takes_the_ones_it_forked_with_it(home: Home) -> None:
    forking = psutil.Process(process_state(home, "forking")["pid"])
    (child,) = eventually(forking.children, GONE_WITHIN_S, "the child")
    children = {child.pid: child.create_time()}

    supervisor.kill(home.path, "forking")

    eventually(lambda: not alive(children), GONE_WITHIN_S, "the child to end")


def test_when_the_fork_server_dies_everything_forked_from_it_comes_back(home: Home) -> None:
    before = {
        name: process_state(home, name)["pid"] for name in ("fork-server", "forked", "program")
    }

    supervisor.kill(home.path, "fork-server")

    eventually(
        lambda: all(
            process_state(home, name)["pid"] not in {0, before[name]}
            and process_state(home, name)["state"] == "ready"
            for name in ("fork-server", "forked")
        ),
        UP_WITHIN_S,
    )
    assert process_state(home, "program")["pid"] == before["program"]


def told_by(home: Home, name: str) -> dict[str, Any]:
    """What the process says of itself, once it has said it: its log is others' too."""
    said = eventually(
        lambda: [line for line in whole_lines(home.log_file(name)) if line.startswith("{")],
        UP_WITHIN_S,
    )
    facts: dict[str, Any] = json.loads(said[-1])
    return facts


def test_a_forked_process_is_warm_alone_and_itself(home: Home) -> None:
    facts = [told_by(home, name) for name in ("forked", "forking")]

    assert [fact["arguments"] for fact in facts] == [["--alone"], ["--with-child"]]
    assert all(fact["is_warm"] and fact["session_leader"] for fact in facts)
    assert [fact["threads"] for fact in facts] == [1, 1]
    assert facts[0]["random_id"] != facts[1]["random_id"]


def test_a_stopped_process_stays_down_until_it_is_started(home: Home) -> None:
    restarts = process_state(home, "forked")["restarts"]

    supervisor.stop(home.path, "forked")
    stopped = process_state(home, "forked")
    supervisor.start(home.path, "forked")

    assert stopped["state"] == "stopped"
    started = process_state(home, "forked")
    assert (started["state"], started["restarts"]) == ("ready", restarts)


def test_an_unknown_process_can_neither_be_killed_nor_stopped(home: Home) -> None:
    with pytest.raises(control.ProcessGone):
        supervisor.kill(home.path, "nobody")

    with pytest.raises(control.ControlRefused, match="nobody"):
        supervisor.stop(home.path, "nobody")


def is_ready_besides(home: Home, name: str, pid: int) -> bool:
    process = process_state(home, name)
    return bool(process["state"] == "ready" and process["pid"] not in {pid, None})


def test_a_crash_loop_is_given_up_and_harms_nobody_else(home: Home) -> None:
    others = {name: process_state(home, name)["pid"] for name in ("program", "forked")}

    killed = 0
    for _ in range(5):
        # Ready with another pid: the state may still tell of the one that was just killed.
        eventually(partial(is_ready_besides, home, "neighbour", killed), GONE_WITHIN_S)
        killed = supervisor.kill(home.path, "neighbour", signal.SIGABRT)
        eventually(partial(is_recorded, home, "neighbour", killed), GONE_WITHIN_S)

    eventually(lambda: process_state(home, "neighbour")["state"] == "failed", GONE_WITHIN_S)
    assert {name: process_state(home, name)["pid"] for name in others} == others
    assert len(recorded_exits(home, "neighbour")) == 5


def test_what_dies_comes_back_where_its_end_cannot_be_written_down(tmp_path: Path) -> None:
    """As on a full disk."""
    home = Home(tmp_path)
    with launched(home, "steady"):
        eventually(lambda: state_of(home)["status"] == "running", UP_WITHIN_S)
        home.restarts_file.mkdir()

        killed = supervisor.kill(home.path, "program", signal.SIGKILL)

        eventually(partial(is_ready_besides, home, "program", killed), GONE_WITHIN_S)
        (note,) = state_of(home)["notes"]
        assert note.startswith("the end of program could not be written down")


def test_whoever_only_looks_whether_a_home_is_held_keeps_nobody_out(tmp_path: Path) -> None:
    """A start would fail of `cartwright status` in the next shell."""
    home, looked = Home(tmp_path), threading.Event()

    def look() -> None:
        with home.locked():
            looked.set()
            threading.Event().wait(0.05)

    looking = threading.Thread(target=look)
    looking.start()
    looked.wait(DOWN_WITHIN_S)
    with pytest.raises(HomeInUse), home.locked():
        pass
    with home.locked(within_s=DOWN_WITHIN_S):
        assert home.is_locked()
    looking.join()


def test_a_second_supervisor_refuses_the_same_home(home: Home) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "harness.process.supervisor", "--home", str(home.path)],
        capture_output=True,
        text=True,
        timeout=UP_WITHIN_S,
        check=False,
    )

    assert second.returncode == 3
    assert "in use" in second.stderr


def test_a_killed_supervisor_leaves_no_process_and_no_lock(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with launched(home, "steady") as running:
        eventually(lambda: state_of(home)["status"] == "running", UP_WITHIN_S)
        # Four processes, the fork server, and the child of one, which comes a moment later.
        eventually(lambda: len(pids_of(home)) == 6, GONE_WITHIN_S, "six processes")
        pids = pids_of(home)

        running.kill()

        eventually(lambda: not alive(pids), GONE_WITHIN_S, "all processes to end")
        assert not home.is_locked()


def test_a_stop_ends_everything_and_says_so(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with launched(home, "steady") as running:
        eventually(lambda: state_of(home)["status"] == "running", UP_WITHIN_S)
        pids = pids_of(home)

        running.terminate()

        assert running.wait(DOWN_WITHIN_S) == 0
        assert alive(pids) == []
        assert state_of(home)["status"] == "stopped"
        assert not home.restarts_file.exists()


def test_a_process_that_dies_during_the_start_fails_it_and_is_explained(tmp_path: Path) -> None:
    home = Home(tmp_path)

    with launched(home, "failing") as running:
        exit_code = running.wait(UP_WITHIN_S)

    state = state_of(home)
    assert (exit_code, state["status"]) == (1, "failed")
    assert state["failure"]["process"] == "broken"
    assert state["failure"]["log"] == ["Address already in use"]
    assert "ss -ltnp" in state["failure"]["fix"]
    assert process_state(home, "program")["state"] == "stopped"


class Unlucky(LocalProvider):
    plan = "tiny_plan:unlucky"

    def prepare(self) -> dict[str, Any]:
        return {}


@pytest.fixture
def unlucky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Unlucky]:
    monkeypatch.setenv("PYTHONPATH", str(PLANS))
    provider = Unlucky(Home(tmp_path), stack.repository())
    yield provider
    provider.stop()


def test_who_loses_a_port_between_choosing_and_binding_chooses_again(unlucky: Unlucky) -> None:
    left = unlucky.home.path / "unlucky"
    left.write_text("2")

    unlucky.start()

    assert left.read_text() == "-1"
    assert state_of(unlucky.home)["status"] == "running"


def test_a_port_that_is_lost_again_and_again_is_told(unlucky: Unlucky) -> None:
    left = unlucky.home.path / "unlucky"
    left.write_text("100")

    with pytest.raises(StackDidNotStart, match="ss -ltnp"):
        unlucky.start()

    assert left.read_text() == "97"
    assert not unlucky.home.is_locked()


def test_what_has_only_begun_to_start_is_stopped(unlucky: Unlucky) -> None:
    """Its supervisor imports what it needs, and has not written yet who it is."""
    (unlucky.home.path / "unlucky").write_text("0")
    begun = unlucky._launch(None)

    unlucky.stop()

    assert begun.poll() is not None
    assert not unlucky.home.is_locked()


def test_who_comes_while_another_stops_starts_afterwards(unlucky: Unlucky) -> None:
    (unlucky.home.path / "unlucky").write_text("0")
    with stopping(unlucky.home) as stopped:
        states = unlucky.states()
        threading.Timer(0.2, stopped.set).start()
        last = list(states)[-1]

    assert last["status"] == "running"


def test_who_waited_for_another_start_is_told_why_it_failed(unlucky: Unlucky) -> None:
    with stopping(unlucky.home) as stopped:
        first = next(states := unlucky.states())
        failure = {
            "process": "postgres",
            "reason": "ended",
            "log": ["no space"],
            "fix": "Make some.",
        }
        unlucky.home.write_state(first | {"status": "failed", "failure": failure})
        stopped.set()

        with pytest.raises(StackDidNotStart, match=r"postgres ended.*Make some\."):
            list(states)


@contextmanager
def stopping(home: Home) -> Iterator[threading.Event]:
    """Somebody else's stack, which is gone when the event is set."""
    gone, supervisor_process = threading.Event(), subprocess.Popen([sys.executable, "-c", WAITING])

    def hold() -> None:
        with home.locked():
            held.set()
            gone.wait(DOWN_WITHIN_S)
            supervisor_process.kill()
            supervisor_process.wait()

    held, holding = threading.Event(), threading.Thread(target=hold)
    holding.start()
    held.wait(DOWN_WITHIN_S)
    began = psutil.Process(supervisor_process.pid).create_time()
    home.write_state(
        {
            "status": "starting",
            "supervisor": {"pid": supervisor_process.pid, "create_time": began},
            "failure": None,
        }
    )
    yield gone
    gone.set()
    holding.join()


def test_what_ends_for_another_reason_is_not_started_again(unlucky: Unlucky) -> None:
    """It has no file to count in."""
    with pytest.raises(StackDidNotStart, match="supervisor"):
        unlucky.start()

    assert whole_lines(unlucky.home.log_file("supervisor"))[-1].startswith("FileNotFoundError")


def test_a_stack_that_fails_its_self_test_does_not_come_up_and_says_what_does_not_work(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path)

    with launched(home, "silent") as running:
        exit_code = running.wait(UP_WITHIN_S)

    failure = state_of(home)["failure"]
    assert (exit_code, state_of(home)["status"]) == (1, "failed")
    assert failure["process"] == "post-office"
    assert failure["reason"].startswith("failed its self-test (ConnectError")
    assert "; payment-provider failed its self-test (" in failure["reason"]
    assert failure["log"] == ["closed"]
    assert "cartwright logs post-office" in failure["fix"]
    assert process_state(home, "post-office")["state"] == "stopped"
