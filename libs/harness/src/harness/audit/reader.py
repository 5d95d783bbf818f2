"""Reads the three books of a running stack and lets every checker look at them."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import orjson

from harness.audit.books import Books, Checkout, Publishes, Restart, patiently
from harness.audit.checkers import traces_complete
from harness.audit.outside_books import (
    read_mails,
    read_provider,
    read_publishes,
    taken_webhooks,
)
from harness.audit.settlement import queue_depths, wait_for_webhooks
from harness.audit.tables import read_tables
from harness.process.endpoints import Endpoints
from harness.process.home import Home, whole_lines
from harness.shopper.history import Operation
from harness.topology.model import Topology
from harness.traces import span_ledger
from harness.traces.causality import Trace
from harness.traces.reader import TraceReader
from harness.traces.span_ledger import Ledger

# Spans are exported every 0.2 s; a trace still incomplete after this long stays so.
TRACES_WITHIN_S = 10.0
POLL_S = 0.25
# A worker looks for them twice a second; one that is still due after this long stays so.
WEBHOOKS_WITHIN_S = 10.0
RESTARTS = "restarts.jsonl"


class TracesUnread(Exception):
    """The trace store did not answer; the message says how."""


@dataclass(frozen=True)
class Planted:
    """What was done to the shop on purpose. loss: ids of events that a fault lost. store_was_away:
    one kept the trace store from those who write there, and who give up after a while."""

    loss: Collection[str] = ()
    store_was_away: bool = False


NOTHING_PLANTED = Planted()

# Takes each checkout's trace, as OTLP/JSON `TracesData`, once it is complete or given up.
Keep = Callable[[Checkout, Mapping[str, Any]], None]


def keep_nothing(_checkout: Checkout, _traces: Mapping[str, Any]) -> None:
    """For whoever only judges."""


def read_books(
    endpoints: Endpoints,
    topology: Topology,
    checkouts: Sequence[Checkout],
    operations: Sequence[Operation],
    *,
    since: float,
    advance: Callable[[int], None] = lambda _: None,
    keep: Keep = keep_nothing,
    planted: Planted = NOTHING_PLANTED,
) -> Books:
    """Everything the checkers need, read once. Call it when the shop is at rest: then nothing
    moves any more but webhooks, which the provider may try again for an hour. Which of them the
    shop took is asked first, and those it has dealt with before its tables are read.

    since: seconds since the epoch; restarts before it belong to an earlier run.
    advance: told how many traces have been read, for a progress bar.
    keep: given the trace of every checkout, as far as it is stored.
    A trace store that does not answer makes them books without traces: `traces_unread` says why.
    Any other book that stays closed raises BooksUnread.
    """
    url, key = endpoints.payment_provider_url, endpoints.payment_provider_api_key
    headers = {"Authorization": f"Bearer {key}"}
    taken = patiently("the payment provider", lambda: taken_webhooks(url, headers))
    patiently("PostgreSQL or SQS", lambda: wait_for_webhooks(endpoints, WEBHOOKS_WITHIN_S))
    publishes = _publishes(endpoints)
    tables = patiently("PostgreSQL", lambda: read_tables(endpoints.auditor_dsn))
    provider = patiently("the payment provider", lambda: read_provider(url, headers, taken))
    traces: Mapping[str, Trace | None] = {}
    traces_unread = ""
    ledger = span_ledger.of(endpoints.span_ledger_dir)
    try:
        known = [traces_complete.as_in_books(tables, checkout) for checkout in checkouts]
        traces = read_traces(
            endpoints.trace_query_url,
            known,
            advance,
            keep,
            ledger,
            store_was_away=planted.store_was_away,
        )
    except TracesUnread as error:
        traces_unread = str(error)
    return replace(
        tables,
        checkouts=checkouts,
        operations=operations,
        provider_payments=provider.payments,
        provider_calls=provider.calls,
        provider_facts=provider.facts,
        provider_webhooks=provider.webhooks,
        publishes=publishes,
        mails=patiently("the mailbox", lambda: read_mails(endpoints.mailbox_url)),
        consumers=topology.consumers,
        queues=patiently("SQS", lambda: queue_depths(endpoints)),
        traces=traces,
        traces_unread=traces_unread,
        # Of a shop that is somewhere else nobody tells us.
        restarts=read_restarts(Path(endpoints.home) / RESTARTS, since) if endpoints.home else (),
        planted_loss=frozenset(planted.loss),
        traces_have_lost=ledger is not None,
    )


def _publishes(endpoints: Endpoints) -> Publishes | None:
    """None of a shop whose queues are not our emulator's: another's may have left a file here."""
    if endpoints.provider != "embedded":
        return None
    return read_publishes(Home(Path(endpoints.home)).publishes_file)


def read_traces(
    query_url: str,
    checkouts: Sequence[Checkout],
    advance: Callable[[int], None],
    keep: Keep = keep_nothing,
    ledger: Ledger | None = None,
    *,
    store_was_away: bool = False,
) -> dict[str, Trace | None]:
    """The trace of every checkout; asks again, for a while, for those that should be complete.

    With the shop's *ledger*, spans that went with a killed process are there by their names; if
    the *store_was_away*, in the end also those that a process could not send.

    Raises TracesUnread if the store does not answer at the end of that while, or has not kept all.
    """
    traces: dict[str, Trace | None] = {}
    waiting = list(checkouts)
    give_up_at = time.monotonic() + TRACES_WITHIN_S
    with TraceReader(query_url) as reader:
        while waiting:
            last = time.monotonic() > give_up_at
            incomplete = []
            if ledger:
                ledger.refresh()
            for number, checkout in enumerate(waiting):
                try:
                    stored = reader.fetch_otlp(checkout.trace_id)
                except httpx.HTTPError as error:
                    if last:
                        raise TracesUnread(f"{type(error).__name__}: {error}") from error
                    incomplete += waiting[number:]
                    break
                trace = traces[checkout.trace_id] = _whole(
                    checkout.trace_id, stored, ledger, unsent_too=last and store_was_away
                )
                if not last and _incomplete(trace, checkout):
                    incomplete.append(checkout)
                    continue
                advance(1)
                if stored:
                    keep(checkout, stored)
            waiting = incomplete
            if waiting:
                time.sleep(POLL_S)
        if None in traces.values() and (gone := _evicted(reader)):
            raise TracesUnread(f"the store has let {gone} traces go to make room for others")
    return traces


def _evicted(reader: TraceReader) -> int:
    try:
        return reader.evicted()
    except httpx.HTTPError as error:
        raise TracesUnread(f"{type(error).__name__}: {error}") from error


def _whole(
    trace_id: str, stored: Mapping[str, Any] | None, ledger: Ledger | None, *, unsent_too: bool
) -> Trace | None:
    trace = Trace.from_otlp(stored) if stored else None
    if ledger is None or (trace is None and not unsent_too):
        return trace
    spans = trace.spans if trace else ()
    account = ledger.account({trace_id}, trace.by_key if trace else {})
    lost = account.lost + account.unsent if unsent_too else account.lost
    return Trace((*spans, *(entry.as_lost_span() for entry in lost))) if spans or lost else None


def _incomplete(trace: Trace | None, checkout: Checkout) -> bool:
    return any(traces_complete.faults(trace, checkout))


def read_restarts(path: Path, since: float) -> list[Restart]:
    """What the supervisor wrote down of processes that ended unexpectedly, from *since* on."""
    entries: list[Mapping[str, object]] = [orjson.loads(line) for line in whole_lines(path)]
    restarts = [
        Restart(
            process=str(entry["process"]),
            at=datetime.fromisoformat(str(entry["time"])).timestamp(),
            signal=str(entry["signal"]) if entry["signal"] else None,
        )
        for entry in entries
    ]
    return [restart for restart in restarts if restart.at >= since]
