"""Who plants faults begins with none, whatever one that was killed has left behind."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, cast

import httpx
import psutil
import pytest
from harness.faults import planter
from harness.faults.http_rules import HttpRulebook
from harness.faults.journal import Journal
from harness.faults.message_proxy import MessageProxy
from harness.faults.planter import Faults
from harness.faults.rules import Rulebook
from harness.faults.server import Desk
from harness.process import control
from harness.process.endpoints import Endpoints
from harness.process.home import Home
from sockets_for_tests import HOST, listening, soon

pytestmark = pytest.mark.slow

LEFT = {"fault": "drop", "event_type": "order.placed", "label": "fault-1"}


@pytest.fixture
def frozen(tmp_path: Path) -> Iterator[psutil.Process]:
    """A worker of this home that stands still."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as worker:
        process = psutil.Process(worker.pid)
        recorded = {"pid": process.pid, "create_time": process.create_time()}
        Home(tmp_path).write_state({"processes": {"order-worker": recorded}})
        control.freeze(tmp_path, "order-worker")
        yield process
        worker.kill()


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done to a database that is not there."""
    done: list[str] = []
    server = cast(Any, type("Server", (), {"close": lambda _: None}))
    monkeypatch.setattr(planter.psycopg2, "connect", lambda _: server())
    monkeypatch.setattr(planter.refused_commits, "end_all", lambda _: done.append("commits"))
    return done


def test_what_a_run_left_that_was_killed_is_not_there_any_more(
    tmp_path: Path, frozen: psutil.Process, ended: list[str]
) -> None:
    blank = dict.fromkeys((field.name for field in fields(Endpoints)), "")
    shop = replace(Endpoints.from_json(blank), home=str(tmp_path), services={})
    rules = Rulebook()

    def begin(url: str) -> None:
        httpx.post(f"{url}/rules", json=LEFT).raise_for_status()
        with Faults(replace(shop, faults_url=url)):
            assert rules.unused() == []
            assert ended == ["commits"]
            assert frozen.status() != psutil.STATUS_STOPPED

    async def steps() -> None:
        journal = Journal()
        messages = MessageProxy((HOST, 9), rules, journal, visibility_timeout_s=5)
        desk = Desk(messages, {}, rules, HttpRulebook(), journal)
        async with listening(desk.serve) as port:
            await asyncio.to_thread(begin, f"http://{HOST}:{port}")

    soon(steps())
