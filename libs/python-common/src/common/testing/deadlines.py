"""A request that has so much time left, and a clock that goes only when it is told to."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask, g


class Clock:
    """Stands for `time.monotonic` until the test ends."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1_000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now_s)


@contextmanager
def request_with(left_s: float) -> Iterator[None]:
    with Flask("probe").test_request_context():
        g.deadline_at = time.monotonic() + left_s
        yield
