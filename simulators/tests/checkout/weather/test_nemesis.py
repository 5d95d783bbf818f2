"""Who makes the faults: each at its time, noted as met only when it was, and none left behind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from harness.faults.http_rules import HttpFault
from harness.faults.planter import Faults
from harness.faults.rules import Fault, Operation
from harness.process.control import ProcessGone
from harness.process.endpoints import Endpoints
from psycopg2.errors import LockNotAvailable
from simulators.checkout.weather.nemesis import (
    LOSS,
    Nemesis,
    at_work,
    remember_loss,
    remembered_loss,
)
from simulators.checkout.weather.plan import NO_WEATHER, Planned, Weather

ORDER, EVENT, TRACE = "o-1", "e-1", "t-1"
MET_AT = datetime(2026, 11, 30, 9, tzinfo=UTC)


@dataclass
class Desk:
    """Does what it is told, and notes it, as the proxies and the supervisor would."""

    home: Path
    endpoints: Any = None
    told: list[str] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)
    gone: frozenset[str] = frozenset()
    is_met: Callable[[str], bool] = lambda _: True
    is_locked: bool = False
    late_answers: int = 0
    cut: set[str] = field(default_factory=set)

    def spoil(self, fault: Fault, event: str, operation: Operation, label: str) -> None:
        self.told.append(f"spoil {event}")
        if self.is_met(label):
            self.note(fault, operation, label)

    def spoil_http(self, fault: HttpFault, service: str, request: str, label: str) -> None:
        self.told.append(f"spoil {service} {request}")
        self.note(fault, request, label)

    def note(self, fault: str, operation: str, label: str) -> None:
        self.entries.append(
            {
                "number": len(self.entries) + 1,
                "at": MET_AT.isoformat(),
                "what": fault,
                "operation": operation,
                "place": "order-events",
                "messages": [{"subject": ORDER, "event_id": EVENT}],
                "label": label,
                "trace_id": TRACE,
            }
        )

    def kill(self, process: str) -> None:
        if process in self.gone:
            raise ProcessGone(f"{process} is gone")
        self.told.append(f"kill {process}")

    def pause(self, process: str) -> None:
        self.told.append(f"pause {process}")

    def go_on(self, process: str) -> None:
        if process in self.gone:
            raise ProcessGone(f"{process} is gone")
        self.told.append(f"go on {process}")

    def refuse_commits(self, table: str, _: int, name: str) -> None:
        self.told.append(f"refuse {table} {name}")

    def take_commits(self, table: str, times: int, name: str) -> int:
        self.told.append(f"take {table} {name}")
        if self.is_locked:
            raise LockNotAvailable("canceling statement due to lock timeout")
        return times if self.is_met(name) else 0

    def cut_line(self, place: str) -> bool:
        was_cut = place in self.cut
        self.cut.add(place)
        return not was_cut

    def join_line(self, place: str) -> int:
        self.told.append(f"join {place}")
        return int(self.is_met(place))

    def journal(self, after: int) -> Sequence[dict[str, Any]]:
        if self.late_answers:
            self.late_answers -= 1
            raise httpx.ReadTimeout("timed out")
        return [entry for entry in self.entries if entry["number"] > after]

    def held(self) -> int:
        return 0

    def calm(self) -> None:
        self.told.append("calm")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def storm_over(desk: Desk, *faults: Planned) -> Nemesis:
    """All of them are due at once; the last shopper left as soon as they were planted."""
    nemesis = Nemesis(cast(Faults, desk), Weather(name="squall", faults=faults), replay_s=0.0)
    nemesis.storm()
    nemesis.wait()
    nemesis.calm()
    return nemesis


DROP = Planned(kind="publish-drop", at=0.1, event="order.placed")
KILL = Planned(kind="kill", at=0.2, process="order-worker")
REFUSED = Planned(kind="commit-refused", at=0.1, for_s=60, place="order.inbox")
DOWN = Planned(kind="line-down", at=0.1, for_s=60, place="redis")
FREEZE = Planned(kind="freeze", at=0.3, process="cart-web", for_s=60)


def test_a_fault_of_messages_has_met_something_when_the_journal_says_so(desk: Desk) -> None:
    (met,) = storm_over(desk, DROP).injected

    assert (met.times, met.orders, met.met_at) == (1, {ORDER}, MET_AT.timestamp())


def test_a_fault_of_an_edge_is_of_a_request_and_met_whom_its_trace_names(desk: Desk) -> None:
    lose = Planned(kind="http-lose-answer", at=0.1, place="order", request="POST /orders")

    (met,) = storm_over(desk, lose).injected

    assert desk.told == ["spoil order POST /orders", "calm"]
    assert (met.times, met.traces) == (1, {TRACE})


def test_one_that_met_nothing_is_not_counted(tmp_path: Path) -> None:
    desk = Desk(tmp_path, is_met=lambda label: label.startswith("fault-2-"))

    nemesis = storm_over(desk, DROP, DROP)

    assert [one.has_met for one in nemesis.injected] == [False, True]
    assert nemesis.met() == 1


def test_what_a_run_before_this_one_left_waiting_is_not_counted_as_ours(desk: Desk) -> None:
    before = storm_over(desk, DROP).injected[0]
    desk.is_met = lambda _: False
    desk.entries.clear()
    desk.note("drop", "publish", before.label)

    (ours,) = storm_over(desk, DROP).injected

    assert not ours.has_met


def test_what_lasts_and_has_met_nothing_when_it_ends_is_not_counted(tmp_path: Path) -> None:
    desk = Desk(tmp_path, is_met=lambda name: name.startswith("fault_2_"))

    unmet, met = storm_over(desk, REFUSED, REFUSED).injected

    assert (unmet.has_met, unmet.times, unmet.why_not) == (
        *(False, 0),
        "MetNothing: nobody wrote to it",
    )
    assert met.has_met
    assert sum("take order.inbox" in told for told in desk.told) == 2


def test_what_could_not_be_ended_is_not_known_to_have_met_anything(desk: Desk) -> None:
    desk.is_locked = True

    (refused,) = storm_over(desk, REFUSED).injected

    assert (refused.has_met, refused.times) == (False, 0)
    assert refused.why_not.startswith("LockNotAvailable")


def test_who_was_killed_as_it_stood_still_did_stand_still(desk: Desk) -> None:
    desk.gone = frozenset({"cart-web"})

    (frozen,) = storm_over(desk, FREEZE).injected

    assert (frozen.has_met, frozen.why_not) == (True, "")


@pytest.mark.parametrize("comes", [True, False])
def test_a_line_was_down_for_somebody_or_it_was_no_fault(desk: Desk, comes: bool) -> None:  # noqa: FBT001
    desk.is_met = lambda _: comes

    (down,) = storm_over(desk, DOWN).injected

    assert (down.has_met, down.times) == (comes, int(comes))
    assert down.why_not == ("" if comes else "MetNothing: nobody was connected, and nobody came")


def test_a_line_goes_down_once_and_is_joined_by_who_cut_it(desk: Desk) -> None:
    faults = storm_over(desk, DOWN, DOWN).injected

    assert sorted(one.why_not for one in faults) == ["", "MetNothing: it was down already"]
    assert [one.has_met for one in faults] == [not one.why_not for one in faults]
    assert desk.told == ["join redis", "calm"]


def test_a_process_that_is_away_is_no_fault_and_the_others_go_on(tmp_path: Path) -> None:
    desk = Desk(tmp_path, gone=frozenset({"order-worker"}))

    killed, frozen = storm_over(desk, KILL, FREEZE).injected

    assert (killed.has_met, killed.why_not) == (False, "ProcessGone: order-worker is gone")
    assert frozen.has_met


def test_one_late_answer_of_the_desk_ends_no_storm(desk: Desk) -> None:
    desk.late_answers = 1
    weather = Weather(name="squall", faults=[DROP, KILL, FREEZE])
    nemesis = Nemesis(cast(Faults, desk), weather, replay_s=0.05)

    nemesis.storm()
    nemesis.wait()
    desk.late_answers = 1
    nemesis.calm()

    assert [one.has_met for one in nemesis.injected] == [True, True, True]


def test_what_lasts_is_ended_when_the_last_shopper_has_gone(desk: Desk) -> None:
    (frozen,) = storm_over(desk, FREEZE).injected

    assert desk.told == ["pause cart-web", "go on cart-web", "calm"]
    assert frozen.ended_at is not None


def test_what_was_lost_is_remembered_for_the_audit_of_every_later_run(desk: Desk) -> None:
    storm_over(desk, DROP)

    shop = cast(Endpoints, type("Shop", (), {"home": str(desk.home)}))
    assert remembered_loss(shop) == {EVENT}
    remember_loss(desk.home, {"e-2"})
    assert remembered_loss(shop) == {EVENT, "e-2"}


def test_nothing_is_remembered_of_a_shop_without_a_home_or_without_storms(tmp_path: Path) -> None:
    assert remembered_loss(cast(Endpoints, type("Shop", (), {"home": ""}))) == set()
    assert remembered_loss(cast(Endpoints, type("Shop", (), {"home": str(tmp_path)}))) == set()


def test_calm_asks_no_shop_for_anything(tmp_path: Path) -> None:
    nobody = cast(Endpoints, type("Shop", (), {"home": str(tmp_path)}))

    with at_work(nobody, NO_WEATHER, 10.0) as nemesis:
        assert (nemesis.calm(), nemesis.clear_up(), nemesis.met()) == (0.0, 0, 0)

    assert not (tmp_path / LOSS).exists()
