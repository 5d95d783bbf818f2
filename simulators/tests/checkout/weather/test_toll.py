"""What is told of the faults of a run: from plain values."""

from dataclasses import replace

import pytest
from harness.audit.books import Books
from simulators.checkout.weather.nemesis import Injected
from simulators.checkout.weather.plan import Planned, Weather
from simulators.checkout.weather.registry import KINDS
from simulators.checkout.weather.toll import DEATHS, NO_TOLL, Struck, Toll, reckon

DROP = Planned(kind="publish-drop", at=0.1, event="order.placed")
FREEZE = Planned(kind="freeze", at=0.2, process="order-worker", for_s=4)
BEGAN = 1000.0


def history(*times: float, returned_at: float | None = None) -> list[dict[str, object]]:
    entries: list[dict[str, object]] = [{"event": "order.placed", "at": at} for at in times]
    if returned_at is not None:
        entries.append({"event": "order.returned", "at": returned_at})
    return entries


TRACE = "ab" * 16
BOOKS = Books(
    orders={"o-met": {"traceparent": f"00-{TRACE}-{'cd' * 8}-01"}},
    order_history={
        "o-met": history(1001.0, 1009.0, returned_at=1500.0),
        "o-other": history(1002.0, 1004.0),
        "o-later": history(1050.0, 1051.0),
    },
)


def told(*injected: Injected) -> Toll:
    return reckon(Weather(name="squall"), injected, BOOKS, BEGAN, calmed_s=0.5)


def test_a_message_names_whom_it_met_and_recovery_lasts_until_they_are_settled() -> None:
    met = Injected(
        DROP, "f", planted_at=1000.5, met_at=1001.5, times=1, orders={"o-met", "a-product"}
    )

    one = told(met).faults[0]

    assert (one.planted_s, one.met_s, one.times) == (0.5, 1.5, 1)
    assert list(one.orders) == ["o-met"]
    assert one.recovered_s == 7.5


def test_a_trace_names_the_order_that_was_placed_in_it() -> None:
    lose = Planned(kind="http-lose-answer", at=0.1, place="auth", request="POST /guest-tokens")
    met = Injected(lose, "f", planted_at=1000.0, met_at=1000.5, times=1, traces={TRACE, ""})

    one = told(met).faults[0]

    assert (list(one.orders), one.recovered_s) == (["o-met"], 8.5)
    assert one.target == "auth POST /guest-tokens"


def test_where_no_message_says_whom_it_is_who_was_under_way() -> None:
    met = Injected(FREEZE, "f", planted_at=1003.0, ended_at=1007.0, met_at=1003.0, times=1)

    one = told(met).faults[0]

    assert (sorted(one.orders), one.recovered_s, one.ended_s) == (["o-met", "o-other"], 6.0, 7.0)


def test_what_met_nothing_is_named_with_its_reason() -> None:
    never = Injected(FREEZE, "f", planted_at=1003.0, why_not="ProcessGone: it is away")
    met = Injected(DROP, "g", planted_at=1001.0, met_at=1001.0, times=1, orders={"o-met"})

    toll = told(never, met)

    assert [(one.kind, one.why_not) for one in toll.missed] == [
        ("freeze", "ProcessGone: it is away")
    ]
    assert toll.by_seam == {"messages": 1}
    assert toll.met == 1


def test_kinds_are_told_in_the_registrys_order_with_median_and_worst() -> None:
    met = Injected(DROP, "f", planted_at=1001.0, met_at=1001.0, times=2, orders={"o-met"})
    later = replace(met, label="g", met_at=1003.0, times=1, orders={"o-other"})
    frozen = Injected(FREEZE, "h", planted_at=1090.0, met_at=1090.0, times=1)

    drop, freeze = told(frozen, met, later).kinds

    counts = (drop.kind, drop.planned, drop.met, drop.times, drop.orders)
    assert counts == ("publish-drop", 2, 2, 3, 2)
    assert drop.recovered_s == (4.5, 8.0)
    assert (freeze.kind, freeze.orders, freeze.recovered_s) == ("freeze", 0, (None, None))


def test_who_was_killed_at_which_step_is_told_with_the_slowest_recovery() -> None:
    one = Struck(
        "kill-before-delete", "cart-worker order.confirmed", 1.0, 1.0, None, 1, [], 2.0, ""
    )
    toll = Toll(
        "stormy",
        [
            replace(one, recovered_s=5.0),
            one,
            replace(one, met_s=None),
            replace(one, kind="kill-at-receive", recovered_s=None),
            replace(one, kind="kill", target="cart-worker"),
        ],
    )

    [cart] = toll.deaths

    assert cart.who == "cart-worker order.confirmed"
    assert cart.by_step == {"at receive": (1, None), "before delete": (2, 5.0)}


def test_every_kind_of_death_at_a_step_has_its_column() -> None:
    assert set(DEATHS) == {name for name in KINDS if name.startswith("kill-")}


@pytest.mark.parametrize(
    ("met", "missed", "enough"), [(0, 0, True), (2, 2, True), (1, 2, False), (0, 1, False)]
)
def test_a_run_in_which_less_than_half_happened_is_no_proof(
    met: int, missed: int, *, enough: bool
) -> None:
    one = Struck("freeze", "order-worker", 1.0, 1.0, 5.0, 1, [], None, "")

    toll = Toll("stormy", [*[one] * met, *[replace(one, met_s=None)] * missed])

    assert toll.is_enough is enough


def test_calm_has_no_toll() -> None:
    assert (NO_TOLL.weather, NO_TOLL.met, list(NO_TOLL.kinds)) == ("calm", 0, [])
