"""What a run comes to, as plain values: the table, the report and the JSON are made of it."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version

from harness.audit.books import Books, Checkout
from harness.audit.checkers import Finding, Violation, traces_complete
from harness.audit.settlement import Unrest

from simulators.checkout import exhibits
from simulators.checkout.exhibits import Exhibit
from simulators.checkout.mix import Visit
from simulators.checkout.times import Percentiles, confirming_times, percentiles, placing_times
from simulators.checkout.weather.toll import NO_TOLL, Toll

SHOPPERS = "shoppers"
# Not counted as the shop's own CPU: what it stands on, and who drives it.
FOREIGN = frozenset({"postgres", "redis", "emulator", SHOPPERS})
VERSIONED = ("flask", "gunicorn", "sqlalchemy", "boto3", "opentelemetry-sdk")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run. baskets: how many of the journey's, from its first on.

    speed: how many seconds of the data pass in one second.
    """

    journey: str
    baskets: int
    speed: float
    concurrency: int
    seed: int
    command: str

    def __post_init__(self) -> None:
        assert self.baskets > 0, "the command line checks this"


@dataclass(frozen=True, slots=True)
class Resource:
    """One process over the run."""

    name: str
    cpu_s: float
    pss_mb: float


@dataclass(frozen=True)
class Observed:
    """All that a run saw, before anything is counted."""

    plan: Plan
    planned: Sequence[Visit]
    checkouts: Sequence[Checkout]
    books: Books
    findings: Sequence[Finding]
    unrest: Unrest
    resources: Sequence[Resource]
    lateness_s: Sequence[float]
    visits_s: Sequence[float]
    phases_s: Mapping[str, float]
    started_at: datetime
    interrupted: bool
    traces_url: str
    toll: Toll = NO_TOLL

    @property
    def started_s(self) -> float:
        return self.started_at.timestamp()


@dataclass(frozen=True)
class Result:
    """One run of the simulator. Durations in seconds unless the name says otherwise.

    baskets: brought; a few of them in two checkouts, so that there are more of these.
    outcomes: counts of checkouts: ``confirmed``, ``cancelled: out_of_stock``, ``refused: …``,
        ``abandoned``, ``unknown``.
    excused: checkouts whose trace was not judged, because a process was killed meanwhile.
    traces_unread: why no trace was read, and so none judged; empty if they were.
    others: orders that were placed meanwhile by nobody of this run.
    earlier: violations of orders that were placed before this run, which it does not judge.
    visit_ms: from when a shopper was to come until they left, so that a stall costs all behind it.
    slowest: with milliseconds from placed to confirmed.
    exhibits: checkouts whose whole trace the report shows.
    timeline: of each checkout its start (s since the first), outcome, and those milliseconds.
    toll: what the weather did.
    """

    plan: Plan
    started_at: datetime
    phases_s: Mapping[str, float]
    baskets: int
    interrupted: bool
    unrest: Unrest
    outcomes: Mapping[str, int]
    by_persona: Mapping[str, Mapping[str, int]]
    placing_ms: Percentiles
    confirming_ms: Percentiles
    lateness_ms: Percentiles
    visit_ms: Percentiles
    checkouts_per_s: float
    confirmed_per_s: float
    cpu_ms_per_confirmed: float | None
    resources: Sequence[Resource]
    restarts: Sequence[str]
    excused: int
    traces_unread: str
    others: int
    earlier: Sequence[Violation]
    findings: Sequence[Finding]
    checkouts: Sequence[Checkout]
    versions: Mapping[str, str]
    traces_url: str
    slowest: Sequence[tuple[Checkout, float]]
    exhibits: Sequence[Exhibit]
    timeline: Sequence[tuple[float, str, float | None]]
    toll: Toll = NO_TOLL

    @property
    def holds(self) -> bool:
        """Whether the run proves what it is for: everything settled, every invariant held, and
        what was to go wrong meanwhile did."""
        return self.books_hold and not self.traces_unread and self.toll.is_enough

    @property
    def books_hold(self) -> bool:
        """The same, as far as the books tell."""
        return (
            not self.unrest
            and self.outcomes.get("confirmed", 0) > 0
            and not any(finding.violations for finding in self.findings)
        )

    @property
    def broken_first(self) -> Sequence[Finding]:
        """The findings as people read them."""
        return sorted(self.findings, key=lambda finding: not finding.violations)

    @property
    def is_judged(self) -> bool:
        """Whether what is wrong can be laid on the shop: it is not only that nobody could look at
        the traces, and nobody else disturbed its books, or checkouts of this run are wrong."""
        if self.holds or not self.others:
            return self.holds or not self.books_hold
        return self.first_wrong is not None

    @property
    def first_wrong(self) -> tuple[int, Checkout] | None:
        """The earliest checkout with a violation to its name, and of the how-manieth basket."""
        named = {
            name
            for finding in self.findings
            for violation in finding.violations
            for name in (violation.order_id, violation.trace_id)
            if name
        }
        ordered = sorted(self.checkouts, key=_started)
        baskets = list(dict.fromkeys(checkout.basket_id for checkout in ordered))
        wrong = (
            (baskets.index(checkout.basket_id) + 1, checkout)
            for checkout in ordered
            if named & {checkout.order_id, checkout.trace_id}
        )
        return next(wrong, None)

    def is_unjudged(self, finding: Finding) -> bool:
        """Whether it found nothing because there was nothing to look at."""
        return bool(self.traces_unread) and finding.checker.check is traces_complete.check


def _started(checkout: Checkout) -> float:
    return checkout.started_at


def outcome_of(checkout: Checkout) -> str:
    """``confirmed``, ``cancelled: out_of_stock``, ``refused: price-changed``, ``abandoned``, …"""
    return f"{checkout.outcome}: {checkout.reason}" if checkout.reason else checkout.outcome


def outcomes(checkouts: Sequence[Checkout]) -> dict[str, int]:
    return dict(Counter(outcome_of(checkout) for checkout in checkouts).most_common())


def outcomes_by_persona(
    checkouts: Sequence[Checkout], visits: Sequence[Visit], refunded: Collection[str]
) -> dict[str, dict[str, int]]:
    """refunded: ids of orders; theirs is told as ``returned``, so that it shows if none was."""
    persona = {visit.basket.id: str(visit.persona) for visit in visits}
    counts: dict[str, Counter[str]] = {}
    for checkout in checkouts:
        outcome = "returned" if checkout.order_id in refunded else outcome_of(checkout)
        counts.setdefault(persona[checkout.basket_id], Counter())[outcome] += 1
    return {name: dict(counter.most_common()) for name, counter in sorted(counts.items())}


def others(books: Books, checkouts: Sequence[Checkout], since: float) -> int:
    """How many orders were placed from *since* on with the key of no basket of this run."""
    ours = {checkout.key for checkout in checkouts}
    return sum(
        order["placed_at"] >= since and bool(order["key"]) and order["key"] not in ours
        for order in books.orders.values()
    )


def apart(
    findings: Sequence[Finding], books: Books, since: float
) -> tuple[list[Finding], list[Violation]]:
    """The findings of this run, and the violations of what was before it: orders, events.

    What this run placed is its own, whatever the shop's clock says, which may be behind.
    """
    keys = {checkout.key for checkout in books.checkouts}
    own = {id_ for id_, order in books.orders.items() if order["key"] in keys}
    own |= {checkout.order_id for checkout in books.checkouts if checkout.order_id}
    before = {i for i, order in books.orders.items() if order["placed_at"] < since} - own

    def is_earlier(violation: Violation) -> bool:
        came_before = violation.order_id in before or (violation.at or since) < since
        return came_before and violation.order_id not in own

    earlier = [v for f in findings for v in f.violations if is_earlier(v)]
    ours = [
        Finding(f.checker, tuple(v for v in f.violations if not is_earlier(v))) for f in findings
    ]
    return ours, earlier


def summarize(observed: Observed) -> Result:
    """Count what was observed. Pure but for the versions, which are read from the environment."""
    checkouts, books = observed.checkouts, observed.books
    confirming = confirming_times(books, checkouts)
    confirmed = sum(checkout.outcome == "confirmed" for checkout in checkouts)
    replay_s = observed.phases_s["replay"]
    own_cpu_s = sum(cost.cpu_s for cost in observed.resources if cost.name not in FOREIGN)
    findings, earlier = apart(observed.findings, books, observed.started_s)
    first_at = min((checkout.started_at for checkout in checkouts), default=0.0)
    slowest = sorted(
        ((c, confirming[c.order_id]) for c in checkouts if c.order_id in confirming),
        key=lambda pair: -pair[1],
    )
    return Result(
        plan=observed.plan,
        started_at=observed.started_at,
        phases_s=observed.phases_s,
        baskets=len({checkout.basket_id for checkout in checkouts}),
        interrupted=observed.interrupted,
        unrest=observed.unrest,
        outcomes=outcomes(checkouts),
        by_persona=outcomes_by_persona(checkouts, observed.planned, books.refunds.keys()),
        placing_ms=percentiles(placing_times(books.operations)),
        confirming_ms=percentiles(list(confirming.values())),
        lateness_ms=percentiles([seconds * 1000 for seconds in observed.lateness_s]),
        visit_ms=percentiles([seconds * 1000 for seconds in observed.visits_s]),
        checkouts_per_s=len(checkouts) / replay_s,
        confirmed_per_s=confirmed / replay_s,
        cpu_ms_per_confirmed=own_cpu_s * 1000 / confirmed if confirmed else None,
        resources=observed.resources,
        restarts=[
            f"{who} ×{count}" if count > 1 else who
            for who, count in Counter(map(str, books.restarts)).items()
        ],
        excused=traces_complete.excused(books),
        traces_unread=books.traces_unread,
        others=others(books, checkouts, observed.started_s),
        earlier=earlier,
        findings=findings,
        checkouts=checkouts,
        versions=installed(VERSIONED),
        traces_url=observed.traces_url,
        slowest=slowest[: exhibits.SLOWEST_MAX],
        exhibits=exhibits.choose(books, checkouts, observed.findings, slowest, outcome_of),
        timeline=[
            (c.started_at - first_at, outcome_of(c), confirming.get(c.order_id or ""))
            for c in checkouts
        ],
        toll=observed.toll,
    )


def installed(names: Iterable[str]) -> dict[str, str]:
    """The version of each that is installed here: an image has only what its programs import."""
    found = {}
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
