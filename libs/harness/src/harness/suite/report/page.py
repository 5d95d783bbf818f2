"""Renders the page: one file, no script needed to read it, nothing loaded from anywhere."""

import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from harness.suite.report import drawing, recording, waterfall
from harness.suite.report.recording import Arrow, Flow, Scenario

# Geometry of the sequence diagram, in its own units.
LANE_WIDTH, ROW_HEIGHT, TOP, SIDE = 132, 26, 44, 66


@dataclass(frozen=True)
class Drawn:
    """An arrow with where it is drawn."""

    arrow: Arrow
    x1: float
    x2: float
    y: float


@dataclass(frozen=True)
class Diagram:
    """A sequence diagram: lanes with their middle, arrows, and its size."""

    lanes: Sequence[tuple[str, float]]
    arrows: Sequence[Drawn]
    width: float
    height: float


@dataclass(frozen=True)
class BrokenOff:
    """A run that ended before its time: how many scenarios were over then, and of how many."""

    over: int
    of: int


def render(
    scenarios: Sequence[Scenario],
    headline: str,
    began: float,
    ended: float,
    broken_off: BrokenOff | None = None,
) -> str:
    """The whole page. began, ended: seconds since the epoch. broken_off: None if all is told."""
    environment = waterfall.TEMPLATES.overlay()
    environment.filters = waterfall.TEMPLATES.filters | {"money": money}
    ordered = sorted(scenarios, key=lambda s: (s.file, s.line, s.id))
    counts = {
        outcome: sum(s.outcome == outcome for s in ordered)
        for outcome in (recording.PASSED, recording.FAILED, recording.SKIPPED)
    }
    return environment.get_template("page.html.j2").render(
        features=[(f, list(told)) for f, told in groupby(ordered, key=lambda s: s.feature)],
        failed=[s for s in ordered if s.outcome == recording.FAILED],
        counts=counts,
        verdict=verdict(counts, broken_off),
        broken_off=broken_off,
        flows=sum(len(s.flows) for s in ordered),
        proven=sum(flow.proven for s in ordered for flow in s.flows),
        headline=headline,
        commit=commit(),
        python=platform.python_version(),
        began=datetime.fromtimestamp(began, UTC),
        took=ended - began,
        sequence=sequence,
        span_ms=waterfall.span_ms,
        waterfall=waterfall.draw,
        waterfall_style=waterfall.style(),
        slowest=sorted(ordered, key=lambda s: -s.seconds)[:5],
    )


def verdict(counts: Mapping[str, int], broken_off: BrokenOff | None = None) -> str:
    """In one sentence, which says "all" only if that many have run and passed."""
    passed, failed, skipped = (
        counts[outcome] for outcome in (recording.PASSED, recording.FAILED, recording.SKIPPED)
    )
    if broken_off:
        told = f"Broken off after {broken_off.over} of {broken_off.of} scenarios"
        return f"{told}, {failed} failed" if failed else told
    if failed:
        return f"{failed} of {sum(counts.values())} scenarios failed"
    return f"{passed} passed, {skipped} not run" if skipped else f"All {passed} scenarios passed"


def sequence(flow: Flow) -> Diagram:
    names = drawing.lanes(flow.arrows)
    middle = {name: SIDE + number * LANE_WIDTH for number, name in enumerate(names)}
    drawn = [
        Drawn(arrow, middle[arrow.sender], middle[arrow.receiver], TOP + ROW_HEIGHT * number)
        for number, arrow in enumerate(flow.arrows, 1)
    ]
    return Diagram(
        list(middle.items()),
        drawn,
        2 * SIDE + LANE_WIDTH * max(0, len(names) - 1),
        TOP + ROW_HEIGHT * (len(drawn) + 1),
    )


def money(minor: str) -> str:
    return f"{int(minor) / 100:,.2f}"


def commit() -> str:
    """The checkout's commit; empty where there is no git."""
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--dirty"],  # noqa: S607
            capture_output=True, text=True, check=True, timeout=5,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return told.stdout.strip()
