"""On a plain pipe a run says how far it is: soon enough, and never much."""

import io

import pytest
from harness.audit.books import Checkout
from harness.audit.settlement import Unrest
from rich.console import Console
from simulators.checkout.display import LiveDisplay
from simulators.checkout.replay import Progress


class Run:
    """A run of 100 baskets that is shown on a pipe; `now_s` is what its clock says."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._pipe = io.StringIO()
        self.display = LiveDisplay(Console(file=self._pipe), clock=lambda: self.now_s)
        self._progress = Progress(100)

    def finish(self, baskets: int, *, within_s: float) -> None:
        """One after the other, shown after each."""
        for _ in range(baskets):
            self.now_s += within_s / baskets
            self._progress.started += 1
            self._progress.left += 1
            self._progress.finished.append(Checkout("b", "h", "k", {}, "t", 0.0, "confirmed"))
            self.show()

    def show(self) -> None:
        self.display.replaying(self._progress)

    def lines(self) -> list[str]:
        return self._pipe.getvalue().splitlines()


@pytest.fixture
def run() -> Run:
    run = Run()
    run.display.phase("replay")
    return run


def test_soon_and_then_every_ten_seconds_it_is_said_how_far_it_is(run: Run) -> None:
    run.finish(2, within_s=2.0)
    quiet = run.lines()
    run.finish(22, within_s=22.0)

    assert quiet == ["replay …"]
    first, tenth, fifth = run.lines()[1:]
    assert first.startswith("  3 of 100 baskets, ")
    assert first.endswith("confirmed 3")
    assert tenth.startswith("  13 of 100 baskets, ")
    assert fifth.startswith("  23 of 100 baskets, ")


def test_a_long_run_says_a_line_at_once_and_for_each_tenth(run: Run) -> None:
    run.finish(100, within_s=500.0)

    assert len(run.lines()) == 1 + 1 + 10


def test_a_run_whose_tenths_are_long_says_a_line_each_minute(run: Run) -> None:
    run.finish(9, within_s=9 * 40.0)

    assert len(run.lines()) == 1 + 1 + 4


def test_a_short_run_says_its_end_once(run: Run) -> None:
    run.finish(100, within_s=1.0)
    run.show()

    assert [line.partition(",")[0] for line in run.lines()] == ["replay …", "  100 of 100 baskets"]


def test_what_does_not_settle_is_said_every_ten_seconds(run: Run) -> None:
    run.display.phase("settle")
    for _ in range(600):
        run.now_s += 0.05
        run.display.settling(Unrest(3, 0, 0, 0, 0, 0))

    assert len(run.lines()) == 2 + 3


def test_a_terminal_gets_bars_and_no_lines() -> None:
    terminal = io.StringIO()
    display = LiveDisplay(Console(file=terminal, force_terminal=True))

    with display.showing():
        display.phase("audit")
        display.auditing(100, 100)

    assert "100 of 100 traces read" not in terminal.getvalue()
    assert "100/100" in terminal.getvalue()
