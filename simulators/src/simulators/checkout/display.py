"""What a person sees while a run goes on, and the table at its end. Computes nothing."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.audit.checkers.violation import Group, Violation, grouped
from harness.audit.settlement import Unrest
from rich import console as rich_console
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from simulators.checkout import comparison, gate
from simulators.checkout.comparison import Comparison
from simulators.checkout.replay import Progress
from simulators.checkout.results import Result, outcome_of
from simulators.checkout.times import Percentiles
from simulators.checkout.weather.registry import KINDS
from simulators.checkout.weather.toll import Toll

# Kinds of violations of one invariant that are printed, and orders of one kind beside the first;
# the report has more.
GROUPS_SHOWN = 5
OTHERS_SHOWN = 3
MISSED_SHOWN = 4  # Faults that met nothing.
# On a plain pipe: often enough that nobody thinks it hangs, and of a long run a line each tenth, or
# each minute where a tenth takes longer.
SAY_EVERY_S = 10.0
SAY_AGAIN_AFTER_S = 60.0
SAY_FIRST_AFTER_S = 3.0
TENTHS = 10
NOTHING_SAID = -1


class LiveDisplay:
    """Progress bars and a line of counts; on a plain pipe lines: each phase, and how far it is."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._said_at_s, self._said_tenth = 0.0, NOTHING_SAID
        self._bars = Bars(
            TextColumn("{task.description:<8}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
        )
        self._task = self._bars.add_task("", total=None, note="", visible=False)
        self._counts = Text()
        self._live: Live | None = None

    @contextmanager
    def showing(self) -> Iterator["LiveDisplay"]:
        if not self._console.is_terminal:
            yield self
            return
        with Live(
            rich_console.Group(self._bars, self._counts),
            console=self._console,
            refresh_per_second=8,
        ) as live:
            self._live = live
            yield self
        self._live = None

    def phase(self, name: str) -> None:
        if self._live is None:
            self._console.print(f"{name} …")
            self._said_at_s = self._clock() - SAY_EVERY_S + SAY_FIRST_AFTER_S
            self._said_tenth = NOTHING_SAID
        self._bars.reset(self._task, description=name, total=None, note="", visible=True)

    def replaying(self, progress: Progress) -> None:
        elapsed_s = self._bars.tasks[0].elapsed or 0.0
        rate = progress.left / elapsed_s if elapsed_s else 0.0
        note = f"{rate:.1f}/s, {progress.in_flight} in the shop"
        self._bars.update(self._task, total=progress.total, completed=progress.left, note=note)
        with progress.lock:
            counts = Counter(outcome_of(checkout) for checkout in progress.finished)
        told = [f"{name} {n}" for name, n in counts.most_common()]
        if faults := progress.faults():
            told.append(f"faults {faults}")
        self._counts.plain = "   ".join(told)
        done = f"{progress.left} of {progress.total} baskets"
        self._say(f"{done}, {note}   {self._counts}", tenth=_tenth(progress.left, progress.total))

    def settling(self, unrest: Unrest) -> None:
        self._bars.update(self._task, note=str(unrest))
        self._say(str(unrest))

    def auditing(self, done: int, total: int) -> None:
        self._bars.update(self._task, total=total, completed=done, note="traces read")
        self._say(f"{done} of {total} traces read", tenth=_tenth(done, total))

    def _say(self, line: str, *, tenth: int | None = None) -> None:
        """A line on a plain pipe: after 3 s, every 10 s but once for each *tenth* or minute; and
        the end.
        """
        now_s = self._clock()
        silent_s = now_s - self._said_at_s
        is_new = tenth != self._said_tenth or (silent_s >= SAY_AGAIN_AFTER_S and tenth != TENTHS)
        is_due = is_new and (silent_s >= SAY_EVERY_S or tenth == TENTHS)
        if self._live is None and is_due:
            self._console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
            self._said_at_s, self._said_tenth = now_s, tenth or 0


def _print_toll(console: Console, toll: Toll) -> None:
    if not toll.faults:
        return
    console.print(str(toll), markup=False, highlight=False)
    if toll.missed:
        names = [f"{one.kind} {one.target}".strip() for one in toll.missed[:MISSED_SHOWN]]
        more = len(toll.missed) - len(names)
        console.print(
            f"[yellow]{len(toll.missed)} found no target:[/] {', '.join(names)}"
            + (f", and {more} more" if more else ""),
            highlight=False,
        )
    if not toll.is_enough:
        console.print("[yellow]Too little happened[/] to call it a proof.")


def _tenth(done: int, total: int) -> int:
    return TENTHS * done // total if total else TENTHS


def print_faults(console: Console) -> None:
    """The registry: what may stand in a weather's file, with which fields, and what these take."""
    table = Table(box=None)
    for head in ("kind", "of", "what happens", "needs"):
        table.add_column(head, overflow="fold")
    for kind in KINDS.values():
        needs = ["at", *sorted(kind.fields), *(["for_s"] if kind.lasts_s else [])]
        table.add_row(kind.name, str(kind.seam), kind.says, ", ".join(needs))
    console.print(table)
    console.print("\nat: share of the replay's time, from 0 to 1. for_s: seconds.", highlight=False)
    for field in ("event", "until", "process", "place", "queue"):
        values = {getattr(target, field) for kind in KINDS.values() for target in kind.targets}
        console.print(f"{field}: {', '.join(sorted(values - {''}))}", highlight=False)


def print_result(
    console: Console,
    result: Result,
    report: str,
    judgement: gate.Judgement | None = None,
    beside: Comparison | None = None,
    *,
    shop_stays: bool,
) -> None:
    """The verdict for people: outcomes, times, costs, invariants, and where to look.

    shop_stays: whether an address in it is still answered afterwards.
    """
    console.print(_outcomes(result))
    console.print(_times(result))
    console.print(_invariants(result))
    _print_violations(console, result, Path(report).parent, shop_stays=shop_stays)
    if beside:
        title = f"Beside {escape(beside.earlier)}"
        console.print(_table(comparison.HEADS, beside.cells, title))
        _print_unlike(console, "the earlier run", beside.unlike)
    if judgement:
        rows = [check.cells for check in judgement.checks]
        console.print(_table(gate.HEADS, rows, "The gate"))
        _print_unlike(console, "the baseline", judgement.unlike)
    if result.interrupted:
        console.print("[yellow]Interrupted:[/] what was done until then is audited above.")
    if result.earlier:
        console.print(
            f"[yellow]Not of this run:[/] {len(result.earlier)} violations of orders that were"
            f" placed before it; the first: {result.earlier[0].message}"
        )
    if result.others:
        console.print(
            f"[yellow]Not alone:[/] others placed {result.others} orders meanwhile."
            + ("" if result.is_judged else " What is wrong may be theirs: run again, alone.")
        )
    if result.unrest:
        console.print(f"[red]Not settled:[/] {result.unrest}")
    if result.traces_unread:
        console.print(
            f"[yellow]Traces could not be read:[/] {escape(result.traces_unread)}."
            " They are not judged; all else is, by the books."
        )
    _print_toll(console, result.toll)
    if result.restarts:
        console.print(
            f"Restarted meanwhile: {', '.join(result.restarts)};"
            f" {result.excused} checkouts' traces not judged."
        )
    colour = "green" if result.holds else "red" if result.is_judged else "yellow"
    console.print(
        f"\n{result.baskets} baskets, seed {result.plan.seed}:"
        f" [bold {colour}]{comparison.verdict(result)}[/]"
    )
    if judgement:
        failed = f"[bold red]not met[/]: {', '.join(judgement.failed)}"
        told = "[bold green]met[/]" if judgement.is_met else failed
        console.print(f"Gate: {told}", soft_wrap=True)
    console.print(f"Report: {report}\nAgain:  {result.plan.command}", highlight=False)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], title: str) -> Table:
    table = Table(title=title)
    for head in heads:
        table.add_column(head, no_wrap=head == heads[0])  # Names are cut last.
    for cells in rows:
        table.add_row(*map(escape, cells))
    return table


def _print_unlike(console: Console, run: str, unlike: Sequence[str]) -> None:
    if unlike:
        told = escape("; ".join(unlike))
        console.print(f"[yellow]Unlike {run}:[/] {told}", highlight=False)


def _outcomes(result: Result) -> Table:
    total = sum(result.outcomes.values())
    rows = [(o, str(n), f"{n / total:.1%}") for o, n in result.outcomes.items()]
    return _table(("outcome", "checkouts", "share"), rows, "What became of the checkouts")


def _times(result: Result) -> Table:
    table = Table("figure", "value", title="How fast, and at what cost")
    table.add_row("placing (POST /orders)", _ms(result.placing_ms))
    table.add_row("placed → confirmed", _ms(result.confirming_ms))
    table.add_row("waited at the door", _ms(result.lateness_ms))
    table.add_row("visit, from when it was due", _ms(result.visit_ms))
    table.add_row("checkouts/s", f"{result.checkouts_per_s:.1f}")
    if result.cpu_ms_per_confirmed is not None:
        table.add_row("CPU per confirmed checkout", f"{result.cpu_ms_per_confirmed:.0f} ms")
    memory_mb = sum(r.pss_mb for r in result.resources)
    table.add_row("memory (PSS), all processes", f"{memory_mb:.0f} MB")
    table.add_row("phases", ", ".join(f"{n} {s:.1f} s" for n, s in result.phases_s.items()))
    return table


def _ms(values: Percentiles) -> str:
    if values.p50 is None or values.p95 is None or values.max is None:
        return "none"
    return f"p50 {values.p50:.0f} ms, p95 {values.p95:.0f} ms, max {values.max:.0f} ms"


def _invariants(result: Result) -> Table:
    table = Table("invariant", "", "promise", title="The audit")
    for finding in result.broken_first:
        broken = len(finding.violations)
        mark = f"[red]broken ×{broken}[/]" if broken else "[green]holds[/]"
        if result.is_unjudged(finding):
            mark = "[yellow]not judged[/]"
        table.add_row(finding.checker.name, mark, finding.checker.promise)
    return table


def _where(violation: Violation, result: Result, run: Path, *, shop_stays: bool) -> str:
    """How to look at its trace: by a command that needs no shop, unless one stays up."""
    if shop_stays and violation.trace_id:
        return f"\n  trace {result.traces_url}/trace/{violation.trace_id}"
    wanted = violation.order_id or violation.trace_id
    return f"\n  cartwright trace {wanted} --run {run}" if wanted else ""


def _print_violations(console: Console, result: Result, run: Path, *, shop_stays: bool) -> None:
    for finding in result.broken_first:
        groups = grouped(finding.violations)
        for group in groups[:GROUPS_SHOWN]:
            first, count = group.first, len(group.violations)
            often = f" ×{count}" if count > 1 else ""
            console.print(
                f"[red]{finding.checker.name}[/]: [bold]{escape(group.what)}[/]{often}"
                + (f"\n  {escape(first.values)}" if first.values else "")
                + (f"\n  order {first.order_id}" if first.order_id else "")
                + _others(group)
                + _where(first, result, run, shop_stays=shop_stays),
                highlight=False,
                soft_wrap=True,
            )
        if len(groups) > GROUPS_SHOWN:
            hidden = len(groups) - GROUPS_SHOWN
            console.print(f"  … and {hidden} more kinds of {finding.checker.name} in the report")


def _others(group: Group) -> str:
    orders = [violation.order_id for violation in group.violations[1:] if violation.order_id]
    shown = ", ".join(orders[:OTHERS_SHOWN])
    more = len(orders) - OTHERS_SHOWN
    return f"\n  also {shown}" + (f" and {more} more" if more > 0 else "") if orders else ""
