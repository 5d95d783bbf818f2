"""What is kept of each scenario, one JSON line each, so that several processes can write."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.process.home import whole_lines
from harness.suite.report.redaction import without_secrets

PASSED, FAILED, SKIPPED, NOT_REACHED = "passed", "failed", "skipped", "not reached"
CHOSEN = ".chosen"


@dataclass
class Step:
    """outcome: `not reached` until it has run. seconds: how long it took. table: its rows."""

    keyword: str
    text: str
    outcome: str = NOT_REACHED
    seconds: float = 0.0
    table: list[list[str]] = field(default_factory=list)


@dataclass(frozen=True)
class Bar:
    """One span of a waterfall. start_ms: after the first of them. depth: of its causes.

    led_by_link: it was caused across a queue, by another trace.
    """

    service: str
    name: str
    kind: str
    start_ms: float
    duration_ms: float
    depth: int
    failed: bool
    led_by_link: bool
    is_lost: bool


@dataclass(frozen=True)
class Arrow:
    """Somebody told somebody something. is_event: over a queue, so that nobody waited."""

    sender: str
    receiver: str
    name: str
    at_ms: float
    is_event: bool
    failed: bool


@dataclass(frozen=True)
class Flow:
    """What one order set in motion. proven: whether all of it is known to be here.

    spans, calls: how many there were; bars and arrows are as many as a person reads.
    ledger: account, amount in minor units, currency. stock: SKU, reason, on hand, reserved.
    mails: kind, recipient, subject. stored: OTLP/JSON `TracesData`, if its scenario failed.
    """

    order_id: str
    trace_id: str
    page: str
    proven: bool
    bars: Sequence[Bar]
    arrows: Sequence[Arrow]
    spans: int
    calls: int
    mails: Sequence[Sequence[str]] = ()
    ledger: Sequence[Sequence[str]] = ()
    stock: Sequence[Sequence[str]] = ()
    stored: Mapping[str, Any] | None = None


@dataclass
class Scenario:
    """One test. failure: what it said, empty if it passed. line: in the feature's file."""

    id: str
    feature: str
    file: str
    name: str
    line: int
    worker: str
    steps: list[Step]
    outcome: str = PASSED
    seconds: float = 0.0
    failure: str = ""
    flows: list[Flow] = field(default_factory=list)
    note: str = ""

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Scenario":
        told = dict(document)
        told["steps"] = [Step(**step) for step in told["steps"]]
        told["flows"] = [_flow(flow) for flow in told["flows"]]
        return cls(**told)


def _flow(document: Mapping[str, Any]) -> Flow:
    bars = [Bar(**bar) for bar in document["bars"]]
    arrows = [Arrow(**arrow) for arrow in document["arrows"]]
    return Flow(**{**document, "bars": bars, "arrows": arrows})


def write(file: Path, scenario: Scenario, known: Collection[str] = ()) -> None:
    """Add *scenario*, without secrets, to *file*, which this process alone writes.

    known: secrets of this run, whatever they look like.
    """
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(without_secrets(asdict(scenario), known)) + "\n")


def write_chosen(file: Path, ids: Sequence[str]) -> None:
    """Which scenarios are to run, by id; each process says so in a file of its own."""
    file.with_suffix(CHOSEN).write_text(json.dumps(ids), encoding="utf-8")


def read_chosen(folder: Path) -> set[str]:
    """Empty if nobody got so far as to choose."""
    files = folder.glob(f"*{CHOSEN}")
    return {id_ for file in files for id_ in json.loads(file.read_text(encoding="utf-8"))}


def read(folder: Path) -> Iterator[Scenario]:
    """Everything that was written there, whoever wrote it and was not ended amid a line."""
    for file in sorted(folder.glob("*.jsonl")):
        for line in whole_lines(file):
            yield Scenario.from_json(json.loads(line))
