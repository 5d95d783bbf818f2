"""The page of a run: everything it links to is on it, and nothing is loaded from anywhere."""

import io
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import orjson
import pytest
from harness.audit.books import Checkout
from harness.audit.checkers import CHECKERS, Finding
from harness.audit.checkers.violation import Violation
from harness.audit.settlement import Unrest
from harness.suite.report import drawing
from harness.traces.causality import Trace
from harness.traces.spans import Kind, Span, Status
from rich.console import Console
from simulators.checkout import report
from simulators.checkout.display import print_result
from simulators.checkout.exhibits import Exhibit
from simulators.checkout.results import Plan, Result
from simulators.checkout.times import Percentiles
from simulators.checkout.weather.toll import Struck, Toll

ORDER, TRACE, UNSHOWN = "o-1", "a1" * 16, "b2" * 16
NOTHING = Percentiles(0, None, None, None, None)
BARS = drawing.bars(
    Trace(
        (
            Span(TRACE, "01" * 8, None, "POST /orders", Kind.SERVER, "order", 0, 9_000_000),
            Span(
                *(TRACE, "02" * 8, "01" * 8, "<script>", Kind.SERVER, "payment", 1, 2),
                status=Status.ERROR,
            ),
        )
    )
)


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def values(self, attribute: str) -> list[str]:
        return [str(attrs[attribute]) for _, attrs in self.found if attribute in attrs]


@pytest.fixture
def result() -> Result:
    checkout = Checkout("b", "h", "k", {}, TRACE, 0.0, "confirmed", ORDER)
    broken = [
        Violation("it costs too much", ORDER),
        Violation("no trace is stored", None, UNSHOWN),
    ]
    return Result(
        plan=Plan("sample", 1, 1.0, 1, 1, "cartwright simulate"),
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        phases_s={"replay": 1.0},
        baskets=1,
        interrupted=False,
        unrest=Unrest(0, 0, 0, 0, 0, 0),
        outcomes={"confirmed": 1},
        by_persona={},
        placing_ms=NOTHING,
        confirming_ms=NOTHING,
        lateness_ms=NOTHING,
        visit_ms=NOTHING,
        checkouts_per_s=1.0,
        confirmed_per_s=1.0,
        cpu_ms_per_confirmed=None,
        resources=[],
        restarts=[],
        excused=0,
        traces_unread="",
        others=0,
        earlier=[],
        findings=[Finding(CHECKERS[0], broken)],
        checkouts=[checkout],
        versions={},
        traces_url="http://store",
        slowest=[(checkout, 9.0)],
        exhibits=[Exhibit(TRACE, ORDER, "confirmed", ("breaks it",), 2, BARS, at_s=0.1)],
        timeline=[(0.0, "confirmed", 9.0)],
    )


def test_every_link_leads_to_a_waterfall_on_the_page(result: Result, tmp_path: Path) -> None:
    tags = Tags(report.write(result, tmp_path).read_text())

    assert tags.values("href") == [f"#trace-{TRACE}"] * 2, "the violation's and the slowest's"
    assert f"trace-{TRACE}" in tags.values("id")
    assert "waterfall" in tags.values("class")


def test_a_page_runs_nothing_and_loads_nothing(result: Result, tmp_path: Path) -> None:
    page = report.write(result, tmp_path).read_text()

    assert not {"script", "link", "img"} & {tag for tag, _ in Tags(page).found}
    assert "http://" not in page
    assert "&lt;script&gt;" in page


def test_what_scrolls_on_a_small_screen_can_be_reached_by_keyboard(
    result: Result, tmp_path: Path
) -> None:
    """WCAG 2.1.1; a browser gives a region the focus only if it is asked to."""
    scrolling = [
        attributes
        for _, attributes in Tags(report.write(result, tmp_path).read_text()).found
        if attributes.get("class") == "scroll"
    ]

    assert scrolling
    assert all(attributes.get("tabindex") == "0" for attributes in scrolling)


def test_the_numbers_for_machines_leave_the_pictures_out(result: Result, tmp_path: Path) -> None:
    report.write(result, tmp_path)

    assert "exhibits" not in orjson.loads((tmp_path / "result.json").read_bytes())


@pytest.mark.parametrize(
    ("shop_stays", "said"),
    [
        (False, ["cartwright trace o-1 --run", f"cartwright trace {UNSHOWN} --run"]),
        (True, ["cartwright trace o-1 --run", f"http://store/trace/{UNSHOWN}"]),
    ],
)
def test_a_violation_says_how_to_look_at_it_when_the_command_has_ended(
    result: Result, tmp_path: Path, *, shop_stays: bool, said: list[str]
) -> None:
    console = Console(file=io.StringIO(), width=80)

    with console.capture() as printed:
        print_result(console, result, str(tmp_path / "report.html"), shop_stays=shop_stays)

    for words in said:
        assert words in printed.get()


def test_equal_violations_stand_together_with_their_values_and_the_broken_come_first(
    result: Result, tmp_path: Path
) -> None:
    held = Violation(
        "a confirmed order still holds money on the card",
        "o-2",
        expected="captured or let go",
        found="pay_1 of 210.68 USD authorized",
    )
    also = replace(held, order_id="o-3")
    broken = replace(
        result, findings=[Finding(CHECKERS[1], ()), Finding(CHECKERS[0], (held, also))]
    )
    console = Console(file=io.StringIO(), width=200)

    with console.capture() as captured:
        print_result(console, broken, str(tmp_path / "report.html"), shop_stays=False)
    printed, page = captured.get(), report.write(broken, tmp_path).read_text()

    assert "still holds money on the card ×2\n" in printed
    assert "\n  expected captured or let go, found pay_1 of 210.68 USD authorized\n" in printed
    assert "\n  order o-2\n  also o-3\n" in printed
    for text in (printed, page.replace("_<wbr>", "_")):
        assert text.index(CHECKERS[0].name) < text.index(CHECKERS[1].name)
    assert "still holds money on the card ×2" in page


@pytest.mark.parametrize(("violations", "is_judged"), [((), False), ((Violation("a"),), True)])
def test_without_traces_a_run_is_judged_only_if_its_books_are_wrong(
    result: Result, violations: tuple[Violation, ...], *, is_judged: bool
) -> None:
    unread = replace(
        result, traces_unread="ConnectError: refused", findings=[Finding(CHECKERS[0], violations)]
    )

    assert not unread.holds
    assert unread.is_judged is is_judged


@pytest.mark.parametrize(
    ("violation", "is_judged"),
    [
        (Violation("a"), False),
        (Violation("a", "o-of-nobody"), False),
        (Violation("a", ORDER), True),
    ],
    ids=["of no order", "of another's order", "of ours"],
)
def test_beside_others_only_what_is_wrong_with_our_own_checkouts_is_judged(
    result: Result, violation: Violation, tmp_path: Path, *, is_judged: bool
) -> None:
    beside = replace(result, others=2, findings=[Finding(CHECKERS[0], (violation,))])

    report.write(beside, tmp_path)

    kept = orjson.loads((tmp_path / "result.json").read_bytes())
    assert (beside.holds, beside.is_judged, kept["is_judged"]) == (False, is_judged, is_judged)
    assert kept.get("first_wrong") == ({"basket": 1, "at_s": 0.0} if is_judged else None)


def test_what_could_not_be_judged_is_said_on_page_and_terminal(
    result: Result, tmp_path: Path
) -> None:
    unread = replace(
        result, traces_unread="ConnectError: refused", findings=[Finding(CHECKERS[-1], ())]
    )
    told = io.StringIO()

    print_result(Console(file=told, width=200), unread, "report.html", shop_stays=False)

    for said in (report.write(unread, tmp_path).read_text(), told.getvalue()):
        assert "ConnectError: refused" in said
        assert "not judged" in said
        assert "holds" not in said.replace("every invariant holds", "")


MET = Struck("freeze", "order-web", 0.2, 0.2, 0.7, 1, [ORDER], 1.5, "")
MISSED = Struck("publish-drop", "order.placed", 0.4, None, None, 0, [], None, "")
STORMY = Toll("stormy", [MET, MISSED], calmed_s=0.5)


def told_of(result: Result, directory: Path) -> str:
    with (console := Console(file=io.StringIO(), width=200)).capture() as printed:
        print_result(console, result, str(directory / "report.html"), shop_stays=False)
    return printed.get()


def test_a_storm_is_told_by_kind_on_the_timeline_and_at_each_order(
    result: Result, tmp_path: Path
) -> None:
    stormy = replace(result, toll=STORMY)

    page = report.write(stormy, tmp_path).read_text()

    assert "Weather stormy: 1 of 2 faults met something (processes 1)." in page
    assert '<rect class="mark processes"' in page
    assert "<title>0.2 s: freeze order-web</title>" in page
    assert "met <code>freeze</code> order-web at 0.2 s" in page
    kinds = orjson.loads((tmp_path / "result.json").read_bytes())["faults_by_kind"]
    assert [(kind["kind"], kind["met"]) for kind in kinds] == [("publish-drop", 0), ("freeze", 1)]


def test_a_fault_is_drawn_into_the_flow_of_an_order_that_it_met_while_that_went_on(
    result: Result, tmp_path: Path
) -> None:
    """The trace begins after 0.1 s and lasts 9 ms."""
    within = replace(MET, met_s=0.10225)
    others = [replace(MET, met_s=s) for s in (None, 0.05, 0.31)]
    elsewhere = replace(within, orders=["another"])

    page = report.write(
        replace(result, toll=Toll("stormy", [within, *others, elsewhere])), tmp_path
    ).read_text()

    assert page.count('<li class="moment">') == 1
    assert "⚡ freeze order-web" in page
    assert page.count('<span class="mark" style="left:25.00%"') == 1 + len(BARS)


def test_a_storm_tells_who_was_killed_at_which_step(result: Result, tmp_path: Path) -> None:
    killed = replace(MET, kind="kill-at-receive", target="cart-worker order.confirmed")

    page = report.write(replace(result, toll=Toll("stormy", [killed])), tmp_path).read_text()

    assert '<td>cart-worker order.confirmed</td><td class="n">1, 1.5 s</td>' in page
    [deaths] = orjson.loads((tmp_path / "result.json").read_bytes())["deaths"]
    assert deaths == {
        "who": "cart-worker order.confirmed",
        "by_step": {"at receive": [1, 1.5]},
    }
    assert "Who was killed" not in report.write(replace(result, toll=STORMY), tmp_path).read_text()


def test_a_calm_run_says_nothing_of_weather(result: Result, tmp_path: Path) -> None:
    page = report.write(result, tmp_path).read_text()

    assert "eather" not in page
    assert 'class="mark' not in page
    assert "eather" not in told_of(result, tmp_path)


def test_faults_that_met_nothing_are_said(result: Result, tmp_path: Path) -> None:
    said = told_of(replace(result, toll=STORMY), tmp_path)

    assert "1 of 2 faults met something (processes 1); slowest recovery 1.5 s" in said
    assert "1 found no target: publish-drop order.placed" in said
    assert "Too little happened" not in said


def test_a_storm_in_which_too_little_happened_proves_nothing(
    result: Result, tmp_path: Path
) -> None:
    held = replace(result, findings=[])
    weak = replace(held, toll=Toll("stormy", [MET, MISSED, MISSED]))

    assert held.holds
    assert (weak.holds, weak.is_judged) == (False, False)
    assert "Too little happened" in told_of(weak, tmp_path)
    assert "Too little happened" in report.write(weak, tmp_path).read_text()
