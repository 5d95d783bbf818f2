"""When a process that died comes back."""

import pytest
from harness.process.spec import restart_pause_s


def test_the_first_restart_is_immediate() -> None:
    assert restart_pause_s([100.0], now=100.0) == 0.0


@pytest.mark.parametrize(("exits", "pause_s"), [(2, 0.2), (3, 0.4), (4, 0.8)])
def test_the_pause_doubles_with_every_exit(exits: int, pause_s: float) -> None:
    assert restart_pause_s([100.0] * exits, now=100.0) == pytest.approx(pause_s)


def test_five_exits_in_ten_seconds_are_a_crash_loop() -> None:
    assert restart_pause_s([90.0, 92.0, 94.0, 96.0, 100.0], now=100.0) is None


def test_exits_of_long_ago_are_forgiven() -> None:
    assert restart_pause_s([10.0, 20.0, 30.0, 40.0, 100.0], now=100.0) == 0.0
