"""Many together, or one alone; and who waits to be alone is not passed by others."""

import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from harness.turns import Turns

COMES_WITHIN_S = 20
# Long enough that a thread which could go on would have.
WATCHED_S = 0.2

Enter = Callable[[], AbstractContextManager[None]]


class Guest:
    """A thread that goes in, says so, and stays until it is told to leave."""

    def __init__(self, enter: Enter) -> None:
        self.inside, self.leave = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._visit, args=(enter,))
        self._thread.start()

    def _visit(self, enter: Enter) -> None:
        with enter():
            self.inside.set()
            self.leave.wait(COMES_WITHIN_S)

    def goes(self) -> None:
        self.leave.set()
        self._thread.join(COMES_WITHIN_S)


def test_many_are_in_together(tmp_path: Path) -> None:
    turns = Turns(tmp_path)

    with turns.together(), turns.together():
        third = Guest(turns.together)

        assert third.inside.wait(COMES_WITHIN_S)
        third.goes()


def test_who_wants_to_be_alone_waits_for_those_inside_and_keeps_others_out(tmp_path: Path) -> None:
    turns = Turns(tmp_path)
    first = Guest(turns.together)
    assert first.inside.wait(COMES_WITHIN_S)

    alone = Guest(turns.alone)
    assert not alone.inside.wait(WATCHED_S)
    late = Guest(turns.together)
    assert not late.inside.wait(WATCHED_S)

    first.goes()
    assert alone.inside.wait(COMES_WITHIN_S)
    assert not late.inside.is_set()
    alone.goes()
    assert late.inside.wait(COMES_WITHIN_S)
    late.goes()


def test_a_process_that_dies_inside_lets_others_in(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from harness.turns import Turns\n"
        "with Turns(Path(sys.argv[1])).alone(): print('in', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"in\n"
        other.kill()

    with Turns(tmp_path).alone():
        assert other.returncode == -9
