"""Before the first shopper and after the last. Locust is stood in for: see README.md."""

import importlib
import sys
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import slo
from harness import stack
from harness.audit.books import BooksUnread
from harness.audit.settlement import Unrest
from harness.process.home import HOME_VARIABLE, Home
from simulators.checkout.run import ShopNotAtRest
from simulators.checkout.seed import SeedingFailed


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
def locustfile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
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


@pytest.fixture
def done(locustfile: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done to the shop, which is at rest, in this order."""
    done: list[str] = []
    for step, answer in (("expect_rest", None), ("seed", 0), ("wait_until_settled", None)):

        def take(*_: object, step: str = step, answer: object = answer) -> object:
            done.append(step)
            return answer

        monkeypatch.setattr(locustfile, step, take)
    return done


def test_the_shop_is_ready_before_the_time_of_shoppers_runs(
    locustfile: Any, environment: Any, done: list[str]
) -> None:
    locustfile.events.init.fire(environment=environment)

    assert done == ["expect_rest", "seed", "wait_until_settled"]
    assert locustfile.events.test_start.listeners == []


@pytest.mark.parametrize(
    ("step", "refusal"),
    [
        ("expect_rest", ShopNotAtRest("2 dead letters of order")),
        ("expect_rest", BooksUnread("PostgreSQL could not be read: gone")),
        ("seed", SeedingFailed("/product-imports answered 503: away")),
        ("wait_until_settled", BooksUnread("SQS could not be read: gone")),
    ],
)
def test_what_refuses_is_told_at_once_and_nobody_comes(
    locustfile: Any,
    environment: Any,
    done: list[str],
    step: str,
    refusal: Exception,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(*_: object) -> None:
        raise refusal

    monkeypatch.setattr(locustfile, step, refuse)

    with pytest.raises(SystemExit) as ended:
        locustfile.events.init.fire(environment=environment)

    assert ended.value.code == slo.EXIT_NOT_JUDGED
    assert capsys.readouterr().out == f"not judged: {refusal}\n"


def test_goods_that_never_settle_are_no_beginning(
    locustfile: Any, environment: Any, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locustfile, "wait_until_settled", lambda *_: Unrest(0, 3, 0, 0, 0, 0))

    with pytest.raises(SystemExit) as ended:
        locustfile.events.init.fire(environment=environment)

    assert ended.value.code == slo.EXIT_NOT_JUDGED


def test_of_two_runs_at_once_the_second_does_not_begin(
    locustfile: Any, environment: Any, done: list[str], tmp_path: Path
) -> None:
    with Home(tmp_path).sole_run(), pytest.raises(SystemExit) as ended:
        locustfile.events.init.fire(environment=environment)

    assert ended.value.code == slo.EXIT_NOT_JUDGED
    assert done == []


def test_workers_leave_it_to_their_master(locustfile: Any, done: list[str]) -> None:
    locustfile.events.init.fire(environment=SimpleNamespace(runner=WorkerRunner()))

    assert done == []


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
