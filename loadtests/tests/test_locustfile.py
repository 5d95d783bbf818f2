"""Before the first shopper and after the last. Locust is stood in for: see README.md."""

import importlib
import sys
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
import slo
from harness import stack
from harness.process.home import HOME_VARIABLE


class Hook:
    """As Locust's: what a listener raises is logged, and all goes on. An exit is no exception."""

    def __init__(self) -> None:
        self.listeners: list[Callable[..., None]] = []

    def add_listener(self, listener: Callable[..., None]) -> Callable[..., None]:
        self.listeners.append(listener)
        return listener

    def fire(self, **told: Any) -> None:
        for listener in self.listeners:
            with suppress(Exception):
                listener(**told)


class WorkerRunner:
    """Of one of several processes."""


@pytest.fixture
def locustfile(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Any:
    events = SimpleNamespace(init=Hook(), test_start=Hook(), quitting=Hook(), quit=Hook())
    log = SimpleNamespace(unhandled_greenlet_exception=False)
    modules = {
        "locust": {"HttpUser": object, "between": max, "events": events, "log": log, "task": id},
        "locust.env": {"Environment": object},
        "locust.exception": {"RescheduleTask": Exception},
        "locust.runners": {"WorkerRunner": WorkerRunner},
    }
    for name, content in modules.items():
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(**content))
    shop = SimpleNamespace(services=defaultdict(str), jwt_secret="x" * 32)
    monkeypatch.setattr(stack, "external_shop", lambda: shop)
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    monkeypatch.setitem(sys.modules, "locustfile", None)  # Put back afterwards, so forgotten.
    del sys.modules["locustfile"]
    return importlib.import_module("locustfile")


@pytest.fixture
def environment() -> Any:
    return SimpleNamespace(runner=SimpleNamespace(quit=lambda: None), process_exit_code=None)


def test_what_locust_itself_met_is_broken(
    locustfile: Any,
    environment: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(locustfile.slo, "gate", lambda *_: [])
    monkeypatch.setattr(locustfile.books, "violations", lambda *_: [])
    locustfile.log.unhandled_greenlet_exception = True

    locustfile.events.quitting.fire(environment=environment)
    locustfile.events.quit.fire()

    assert environment.process_exit_code == slo.EXIT_BROKEN
    assert "holds" not in capsys.readouterr().out
