"""A request that has so much time left, and a clock that goes only when it is told to."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from flask import Flask, g


class Clock:
    """Stands for `time.monotonic` until the test ends."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1_000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now_s)


class Drip(httpx.SyncByteStream):
    """A body of a hundred spaces, each of which takes its time."""

    def __init__(self, clock: Clock, each_s: float) -> None:
        self._clock, self._each_s = clock, each_s
        self.is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(100):
            self._clock.now_s += self._each_s
            yield b" "

    def close(self) -> None:
        self.is_closed = True


@contextmanager
def request_with(left_s: float) -> Iterator[None]:
    with Flask("probe").test_request_context():
        g.deadline_at = time.monotonic() + left_s
        yield
