"""Reads the three books of a running stack and lets every checker look at them."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import orjson

from harness.books import (
    Books,
    Checkout,
    Restart,
    read_mails,
    read_provider_payments,
    read_tables,
)
from harness.checkers import traces_complete
from harness.endpoints import Endpoints
from harness.history import Operation
from harness.settling import queue_depths
from harness.topology import Topology
from harness.traces import Trace, TraceReader

# Spans are exported every 0.2 s; a trace still incomplete after this long stays so.
TRACES_WITHIN_S = 10.0
POLL_S = 0.25


def read_books(
    endpoints: Endpoints,
    topology: Topology,
    checkouts: Sequence[Checkout],
    operations: Sequence[Operation],
    *,
    since: float,
    advance: Callable[[int], None] = lambda _: None,
) -> Books:
    """Everything the checkers need, read once. Call it when the shop is at rest.

    since: seconds since the epoch; restarts before it belong to an earlier run.
    advance: told how many traces have been read, for a progress bar.
    """
    tables = read_tables(endpoints.auditor_dsn)
    key = {"Authorization": f"Bearer {endpoints.payment_provider_api_key}"}
    return Books(
        checkouts=checkouts,
        operations=operations,
        orders=tables.orders,
        order_lines=tables.order_lines,
        order_history=tables.order_history,
        prices=tables.prices,
        stock=tables.stock,
        movements=tables.movements,
        reservations=tables.reservations,
        reservation_lines=tables.reservation_lines,
        payments=tables.payments,
        ledger=tables.ledger,
        provider_payments=read_provider_payments(endpoints.payment_provider_url, key),
        mails=read_mails(endpoints.mailbox_url),
        outboxes=tables.outboxes,
        inboxes=tables.inboxes,
        consumers=topology.consumers,
        queues=queue_depths(endpoints),
        traces=read_traces(endpoints.trace_query_url, checkouts, advance),
        restarts=read_restarts(Path(endpoints.home) / "restarts.jsonl", since),
    )


def read_traces(
    query_url: str, checkouts: Sequence[Checkout], advance: Callable[[int], None]
) -> dict[str, Trace | None]:
    """The trace of every checkout; asks again, for a while, for those not yet complete."""
    traces: dict[str, Trace | None] = {}
    waiting = [c for c in checkouts if c.outcome in traces_complete.STEPS]
    give_up_at = time.monotonic() + TRACES_WITHIN_S
    with TraceReader(query_url) as reader:
        while waiting:
            incomplete = []
            for checkout in waiting:
                trace = reader.fetch(checkout.trace_id)
                traces[checkout.trace_id] = trace
                if any(traces_complete.faults(trace, checkout)):
                    incomplete.append(checkout)
                else:
                    advance(1)
            if not incomplete or time.monotonic() > give_up_at:
                advance(len(incomplete))
                break
            waiting = incomplete
            time.sleep(POLL_S)
    return traces


def read_restarts(path: Path, since: float) -> list[Restart]:
    """What the supervisor wrote down of processes that ended unexpectedly, from *since* on."""
    if not path.exists():
        return []
    entries: list[Mapping[str, object]] = [
        orjson.loads(line) for line in path.read_bytes().splitlines() if line
    ]
    restarts = [
        Restart(
            process=str(entry["process"]),
            at=datetime.fromisoformat(str(entry["time"])).timestamp(),
            signal=str(entry["signal"]) if entry["signal"] else None,
        )
        for entry in entries
    ]
    return [restart for restart in restarts if restart.at >= since]
