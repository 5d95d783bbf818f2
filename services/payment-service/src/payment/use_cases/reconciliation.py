"""Compares our book with the provider's, and heals what a fact can heal (ADR-0014).

Never invents money: what no fact explains is written down for staff, and changes nothing.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from common import tracing
from common.db import Database
from common.errors import IllegalTransition
from sqlalchemy import Connection

from payment.clients import OutcomeUnknown, PaymentProvider, RefusedByProvider, Unreadable
from payment.domain import TAKEN, Fact, UnknownCharge
from payment.store import books, operations, payments
from payment.store.books import Booked, Claim, Difference, Run, Start
from payment.store.payments import Place
from payment.use_cases import book_differences, provider_facts

# After something differed or is unknown, then ever more rarely.
RUN_AFTER_S: Final = (15.0, 60.0, 300.0, 900.0)
# Renewed for each page and each single read, whose answer takes at most 6.5 s, and a page's hundred
# comparisons.
LEASE_S: Final = 180.0
PAGES_MAX: Final = 20
# The provider's book may show a change a little after the moment that it gives it.
OVERLAP: Final = timedelta(seconds=60)
# Payments that are read one by one, of those that changed here and were not listed there.
READ_ONE_BY_ONE_MAX: Final = 100
# Of ours, asked for at a time; nearly all were listed there.
OURS_AT_A_TIME: Final = 500
# Those, the ones that differed before, and the pages; each read may take 6.5 s.
TAKES_S_MAX: Final = (2 * READ_ONE_BY_ONE_MAX + PAGES_MAX) * 6.5
# A day of runs every fifteen minutes.
RUNS_KEPT: Final = 100
BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)

__all__ = ["Difference", "Run", "count_open", "last_run", "open_differences", "run_once"]

log = structlog.get_logger()


@dataclass(slots=True)
class Tally:
    """What one run has seen.

    until: when the latest change was, by the provider's clock. place: the last of ours that was
    looked at. cursor: where the provider's pages go on. more_of_ours: whether more of ours would
    have to be read one by one than a run may take.
    """

    compared: int = 0
    healed: int = 0
    differences: int = 0
    seen: set[str] = field(default_factory=set)
    until: datetime | None = None
    place: Place | None = None
    cursor: str | None = None
    more_of_ours: bool = False

    @property
    def is_cut_off(self) -> bool:
        """Whether there is more to look at, in either book."""
        return self.more_of_ours or self.cursor is not None


def run_once(db: Database, provider: PaymentProvider, time_scale: float = 1.0) -> int:
    """Compare the books if it is time; how much was found, or 1 if there is more to look at.

    Two workers never do it at once.
    """
    with db.transaction() as tx:
        claim = books.claim(tx, RUN_AFTER_S[0] / time_scale, LEASE_S)
    if claim is None:
        return 0
    tally = Tally()
    try:
        _compare_all(db, provider, claim.start, tally)
    except (OutcomeUnknown, RefusedByProvider, Unreadable) as error:
        log.warning("reconciliation_failed", error=str(error))
        with db.transaction() as tx:
            books.fail(tx, claim.run_id, f"{type(error).__name__}: {error}")
            books.schedule(tx, RUN_AFTER_S[0] / time_scale, 0)
            if isinstance(error, RefusedByProvider):  # Perhaps our cursor, which is old by now.
                books.start_at(tx, replace(claim.start, cursor=None))
        return 0
    _finish(db, claim, tally, time_scale)
    return max(tally.healed + tally.differences, int(tally.is_cut_off))


def last_run(tx: Connection) -> Run | None:
    return books.last_run(tx)


def open_differences(
    tx: Connection, after: int | None, limit: int
) -> tuple[list[Difference], int | None]:
    """A page of them, oldest first, and where the next one starts, if any."""
    found = books.open_page(tx, after, limit + 1)
    page = found[:limit]
    return page, page[-1].id if len(found) > limit else None


def count_open(tx: Connection) -> dict[str, int]:
    """Open differences by kind."""
    return books.count_open(tx)


def _compare_all(db: Database, provider: PaymentProvider, start: Start, tally: Tally) -> None:
    since = start.since - OVERLAP if start.since else BEGINNING
    tally.cursor = start.cursor
    for _ in range(PAGES_MAX):
        _renew(db)
        page = provider.changes(since, tally.cursor)
        _compare(db, provider, page.facts, tally)
        tally.until = page.until or tally.until
        tally.cursor = page.next_cursor
        if tally.cursor is None:
            break
    with db.transaction() as tx:
        doubtful = _not_listed(tx, start.place or Place(since), tally)
        differing_before = books.open_page(tx, None, READ_ONE_BY_ONE_MAX)
    doubtful |= {d.about: d.order_id or "" for d in differing_before if d.about}
    for about, order_id in doubtful.items():
        if about not in tally.seen:
            _renew(db)
            _read_one(db, provider, about, order_id, tally)


def _not_listed(tx: Connection, place: Place, tally: Tally) -> dict[str, str]:
    """Orders by the provider's ids, of ours that changed after *place* and were not listed.

    None that changed after what the provider's pages came to.
    """
    found: dict[str, str] = {}
    until = None if tally.cursor is None else tally.until or BEGINNING
    while page := payments.changed_after(tx, place, until, OURS_AT_A_TIME):
        for ours in page:
            if ours.provider_payment_id not in tally.seen:
                if len(found) == READ_ONE_BY_ONE_MAX:
                    tally.more_of_ours = True
                    return found
                found[ours.provider_payment_id] = ours.order_id
            tally.place = place = ours.place
    return found


def _renew(db: Database) -> None:
    with db.transaction() as tx:
        books.renew(tx, LEASE_S)


def _read_one(
    db: Database, provider: PaymentProvider, about: str, order_id: str, tally: Tally
) -> None:
    try:
        fact = provider.read(about)
    except Unreadable as error:
        fact = None
        log.warning("payment_unreadable", provider_payment_id=about, error=str(error))
    except RefusedByProvider as error:
        tally.compared += 1
        _note(db, about, order_id, error, tally)
        return
    if fact is not None:
        _compare(db, provider, [fact], tally)
        return
    tally.compared += 1
    missing = book_differences.MissingAtProvider(
        "the provider does not know a payment that we have"
    )
    _note(db, about, order_id, missing, tally)


def _compare(
    db: Database, provider: PaymentProvider, facts: Sequence[Fact | Unreadable], tally: Tally
) -> None:
    """One statement for all that agree; what differs costs more."""
    order_ids: set[str] = set()
    for fact in facts:
        with suppress(UnknownCharge):
            if isinstance(fact, Fact):
                order_ids.add(book_differences.order_id_of(fact))
    with db.transaction() as tx:
        ours = books.booked(tx, order_ids)
    for fact in facts:
        tally.compared += 1
        if isinstance(fact, Unreadable):
            _note(db, fact.about or "", None, fact, tally)
        else:
            _compare_one(db, provider, fact, ours, tally)


def _compare_one(
    db: Database,
    provider: PaymentProvider,
    fact: Fact,
    booked: Mapping[str, Booked],
    tally: Tally,
) -> None:
    about = fact.provider_payment_id or ""
    tally.seen.add(about)
    try:
        order_id = book_differences.order_id_of(fact)
        ours = booked.get(order_id)
        if ours and book_differences.agree(ours, fact):
            is_mended = ours.differs
        else:
            traceparent = ours.payment.traceparent if ours else None
            about_order = {"app.order.id": order_id}
            with tracing.resumed_span("reconcile payment", traceparent, **about_order):
                news, is_mended = _heal(db, provider, order_id, fact)
            tally.healed += news
    except (RefusedByProvider, IllegalTransition) as error:
        _note(db, about, fact.reference, error, tally)
        return
    if is_mended:
        with db.transaction() as tx:
            books.resolve(tx, about)


def _note(db: Database, about: str, order_id: str | None, error: Exception, tally: Tally) -> None:
    """The books differ, or the provider will not say how it is with one payment: the others are
    compared."""
    tally.differences += 1
    with db.transaction() as tx:
        book_differences.note(tx, about, order_id, error)


def _heal(db: Database, provider: PaymentProvider, order_id: str, fact: Fact) -> tuple[int, bool]:
    """1 if *fact* was news, and whether the books agree now; not yet, while something is due.

    Raises IllegalTransition if the books differ and stay so, RefusedByProvider.
    """
    with db.transaction() as tx:
        news = provider_facts.apply(tx, order_id, fact)
        if book_differences.agree(_booked(tx, order_id), fact):
            return int(news), True
    # The page may be older than our own book by now: what is true is asked for once more.
    about = fact.provider_payment_id or ""
    now = provider.read(about)
    if now is None:
        raise IllegalTransition("the provider listed a payment that it does not know")
    made = provider.refunds(about) if now.status in TAKEN and now.refunded_minor else []
    with db.transaction() as tx:
        for refund in made:
            news |= provider_facts.apply(tx, order_id, replace(now, refund=refund))
        news |= provider_facts.apply(tx, order_id, now)
        ours = _booked(tx, order_id)
        if book_differences.agree(ours, now):
            return int(news), True
        # Something was asked for whose answer may be what differs.
        if not operations.is_anything_due(tx, ours.payment.id):
            raise book_differences.difference(ours, now)
    return int(news), False


def _booked(tx: Connection, order_id: str) -> Booked:
    """Of a payment that apply() found."""
    return books.booked(tx, [order_id])[order_id]


def _finish(db: Database, claim: Claim, tally: Tally, time_scale: float) -> None:
    with db.transaction() as tx:
        is_quiet = not (tally.healed or tally.differences or operations.count_waiting(tx))
        step = min(claim.step + (not tally.is_cut_off), len(RUN_AFTER_S) - 1) if is_quiet else 0
        pause_s = 0.0 if tally.is_cut_off else RUN_AFTER_S[step] / time_scale
        books.finish(
            tx,
            claim.run_id,
            compared=tally.compared,
            healed=tally.healed,
            differences=tally.differences,
        )
        books.schedule(tx, pause_s, step)
        books.start_at(tx, _next_start(claim.start, tally))
        books.forget_runs(tx, RUNS_KEPT)
    log.info(
        "books_compared",
        compared=tally.compared,
        healed=tally.healed,
        differences=tally.differences,
    )


def _next_start(start: Start, tally: Tally) -> Start:
    """Never before the one of this run: a run that is cut off gets on, however often."""
    since, cursor = tally.until, tally.cursor
    if tally.more_of_ours:
        # What the provider lists from here on is not read one by one, but has to be seen again.
        cursor = None
        if since and tally.place:
            since = min(since, tally.place.changed_at)
    moments = [moment for moment in (start.since, since) if moment]
    return Start(max(moments, default=None), tally.place or start.place, cursor)
