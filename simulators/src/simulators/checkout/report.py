"""One self-contained HTML file (and the same as JSON) of a run. No script, no outside host."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
from harness.audit.checkers.violation import grouped
from harness.suite.report import waterfall
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from simulators.checkout import comparison, gate
from simulators.checkout.comparison import Comparison
from simulators.checkout.exhibits import VIOLATING_MAX, Exhibit
from simulators.checkout.results import Result
from simulators.checkout.weather.kinds import Seam
from simulators.checkout.weather.registry import KINDS
from simulators.checkout.weather.toll import DEATHS, Struck, Toll

CHART_WIDTH, CHART_HEIGHT = 720, 160
# Five rows of marks, one a seam, above a chart's upper edge.
MARK_ROW, MARK_WIDTH, MARKS_TOP = 9, 3, -49
# Of equal violations; what they all are stands in result.json.
SHOWN_OF_A_KIND = 5
COLOURS = {
    "confirmed": "ok",
    "cancelled": "warn",
    "abandoned": "warn",
    "refused": "bad",
    "unknown": "bad",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of the throughput chart, in chart units from the top left."""

    x: float
    y: float
    width: float
    height: float
    label: str


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float
    kind: str
    label: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A fault, in a row of its seam above the bars."""

    x: float
    y: float
    width: float
    seam: str
    label: str


def write(
    result: Result,
    directory: Path,
    judgement: gate.Judgement | None = None,
    beside: Comparison | None = None,
) -> Path:
    """Write ``report.html`` and ``result.json`` into *directory*; return the former's path."""
    directory.mkdir(parents=True, exist_ok=True)
    environment = Environment(
        loader=PackageLoader("simulators.checkout"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters |= {"ms": _ms, "s": _s, "waterfall": waterfall.draw}
    environment.globals["faults_within"] = faults_within
    marks = fault_marks(result.toll, _seconds(result.timeline))
    template = environment.get_template("report.html")
    page = template.render(
        result=result,
        judgement=judgement,
        beside=beside,
        death_steps=list(DEATHS.values()),
        heads={"gate": gate.HEADS, "comparison": comparison.HEADS},
        grouped=grouped,
        shown_of_a_kind=SHOWN_OF_A_KIND,
        bars=throughput_bars(result.timeline),
        most_a_second=max(checkouts_a_second(result.timeline)),
        marks=marks,
        marks_top=MARKS_TOP if marks else 0,
        dots=latency_dots(result.timeline),
        latency_max_ms=_latency_max(result.timeline),
        seconds=_seconds(result.timeline),
        width=CHART_WIDTH,
        height=CHART_HEIGHT,
        colours=COLOURS,
        style=Markup(_style()) + waterfall.style(),  # noqa: S704  Our own file.
        trace_of={e.order_id: e.trace_id for e in result.exhibits if e.order_id},
        shown={exhibit.trace_id for exhibit in result.exhibits},
        violating_max=VIOLATING_MAX,
    )
    path = directory / "report.html"
    path.write_text(page, encoding="utf-8")
    summary = _summary(result) | {
        "gate": judgement and {"is_met": judgement.is_met, **asdict(judgement)},
        "comparison": beside and asdict(beside),
    }
    (directory / comparison.RESULT).write_bytes(orjson.dumps(summary, option=orjson.OPT_INDENT_2))
    return path


def checkouts_a_second(timeline: Sequence[tuple[float, str, float | None]]) -> list[int]:
    """Checkouts started in each second of the replay; at least one second."""
    counts = [0] * _seconds(timeline)
    for at_s, _, _ in timeline:
        counts[int(at_s)] += 1
    return counts


def throughput_bars(timeline: Sequence[tuple[float, str, float | None]]) -> list[Bar]:
    counts = checkouts_a_second(timeline)
    top, width = max(counts) or 1, CHART_WIDTH / len(counts)
    return [
        Bar(
            x=round(n * width, 2),
            y=round(CHART_HEIGHT * (1 - count / top), 2),
            width=round(width * 0.85, 2),
            height=round(CHART_HEIGHT * count / top, 2),
            label=f"second {n}: {count} checkouts",
        )
        for n, count in enumerate(counts)
    ]


def faults_within(exhibit: Exhibit, toll: Toll) -> list[waterfall.Mark]:
    """When each fault that met this order first met something, in the time of its trace."""
    return [
        waterfall.Mark((fault.met_s - exhibit.at_s) * 1000, f"{fault.kind} {fault.target}")
        for fault in toll.faults
        if fault.met_s is not None and exhibit.order_id in fault.orders
    ]


def fault_marks(toll: Toll, seconds: int) -> list[Mark]:
    """What met something while shoppers came in."""
    return [
        Mark(
            x=round(fault.met_s / seconds * CHART_WIDTH, 1),
            y=MARKS_TOP + MARK_ROW * list(Seam).index(KINDS[fault.kind].seam),
            width=_mark_width(fault, seconds),
            seam=str(KINDS[fault.kind].seam),
            label=f"{_s(fault.met_s)}: {fault.kind} {fault.target}",
        )
        for fault in toll.faults
        if fault.met_s is not None and fault.met_s < seconds
    ]


def _mark_width(fault: Struck, seconds: int) -> float:
    lasted_s = (fault.ended_s or 0.0) - (fault.met_s or 0.0)
    return max(MARK_WIDTH, round(lasted_s / seconds * CHART_WIDTH, 1))


def latency_dots(timeline: Sequence[tuple[float, str, float | None]]) -> list[Dot]:
    """Placed to confirmed, each confirmed checkout a dot at its start."""
    top, seconds = _latency_max(timeline), _seconds(timeline)
    return [
        Dot(
            x=round(at_s / seconds * CHART_WIDTH, 1),
            y=round(CHART_HEIGHT * (1 - ms / top), 1),
            kind=COLOURS[outcome.partition(":")[0]],
            label=f"{ms:.0f} ms",
        )
        for at_s, outcome, ms in timeline
        if ms is not None
    ]


def _latency_max(timeline: Sequence[tuple[float, str, float | None]]) -> float:
    return max((ms for _, _, ms in timeline if ms is not None), default=1.0) or 1.0


def _seconds(timeline: Sequence[tuple[float, str, float | None]]) -> int:
    return int(max((at_s for at_s, _, _ in timeline), default=0.0)) + 1


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f} ms"


def _s(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} s"


def _style() -> str:
    return (Path(__file__).parent / "templates" / "report.css").read_text(encoding="utf-8")


def _summary(result: Result) -> dict[str, object]:
    """The result without its pictures: for machines that compare runs."""
    left_out = {"findings", "timeline", "checkouts", "exhibits"}
    summary = {k: v for k, v in asdict(result).items() if k not in left_out}
    summary["holds"] = result.holds
    if result.first_wrong:
        number, checkout = result.first_wrong
        at_s = checkout.started_at - min(c.started_at for c in result.checkouts)
        summary["first_wrong"] = {"basket": number, "at_s": round(at_s, 1)}
    summary["is_judged"] = result.is_judged
    summary["faults_by_kind"] = [asdict(kind) for kind in result.toll.kinds]
    summary["deaths"] = [asdict(deaths) for deaths in result.toll.deaths]
    summary["invariants"] = {
        finding.checker.name: [asdict(violation) for violation in finding.violations]
        for finding in result.findings
    }
    return summary
