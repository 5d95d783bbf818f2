from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg2
import pytest
from botocore.exceptions import EndpointConnectionError
from harness.audit import books, reader
from harness.audit.books import BooksUnread, Checkout, Restart, patiently
from harness.audit.checkers import traces_complete
from harness.audit.reader import TracesUnread, read_restarts, read_traces
from harness.traces.causality import Trace
from harness.traces.reader import TraceReader
from harness.traces.span_ledger import Ledger
from harness.traces.spans import Span
from ledgers_for_tests import LedgerFile, span_of

KILLED = '{"time": "2026-01-01T00:00:10+00:00", "process": "order-worker", "signal": "SIGKILL"}\n'
ENDED = '{"time": "2026-01-01T00:00:20+00:00", "process": "cart-web", "signal": null}\n'
START = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


def test_restarts_are_read_with_their_moment_and_signal(tmp_path: Path) -> None:
    path = tmp_path / "restarts.jsonl"
    path.write_text(KILLED + ENDED)

    assert read_restarts(path, since=START) == [
        Restart("order-worker", START + 10, "SIGKILL"),
        Restart("cart-web", START + 20, None),
    ]


def test_restarts_of_earlier_runs_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "restarts.jsonl"
    path.write_text(KILLED + ENDED)

    assert [r.process for r in read_restarts(path, since=START + 15)] == ["cart-web"]


def test_a_stack_that_never_lost_a_process_has_no_restarts(tmp_path: Path) -> None:
    assert read_restarts(tmp_path / "restarts.jsonl", since=0.0) == []


def test_a_line_that_is_still_being_written_is_left_for_the_next_look(tmp_path: Path) -> None:
    path = tmp_path / "restarts.jsonl"
    path.write_text(KILLED + ENDED[:30])

    assert [r.process for r in read_restarts(path, since=START)] == ["order-worker"]


def test_a_trace_store_that_refuses_connections_is_asked_again_and_then_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reader, "TRACES_WITHIN_S", 0.1)
    checkout = Checkout("b", "h", "k", {}, "1" * 32, 0.0, "confirmed", "o")

    with pytest.raises(TracesUnread, match="ConnectError"):
        read_traces("http://127.0.0.1:1", [checkout], lambda _: None)


def stored(span: Span) -> dict[str, Any]:
    """A trace of which the store has this one, of order's."""
    name = {"key": "service.name", "value": {"stringValue": "order"}}
    told = {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "name": span.name,
        "startTimeUnixNano": "1",
        "endTimeUnixNano": "2",
    }
    spans = [{"spans": [told]}]
    return {"resourceSpans": [{"resource": {"attributes": [name]}, "scopeSpans": spans}]}


def test_what_went_with_a_killed_process_is_in_the_trace_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a storm's kills excuse nothing that did not happen."""
    placed = span_of(1, "order", "POST /orders")
    lost = span_of(2, "payment", "process stock.reserved", parent=1)
    ended, killed = (LedgerFile(tmp_path, name, "web") for name in ("order", "payment"))
    ended.whole(placed)
    killed.begin(lost)
    for process in (ended, killed):
        process.die()
    monkeypatch.setattr(TraceReader, "fetch_otlp", lambda *_: stored(placed))
    checkout = Checkout("b", "h", "k", {}, placed.trace_id, 0.0, "refused")

    whole = read_traces("http://store", [checkout], lambda _: None, ledger=Ledger(tmp_path))
    without = read_traces("http://store", [checkout], lambda _: None)

    assert names(whole[placed.trace_id]) == ["POST /orders", "process stock.reserved"]
    assert names(without[placed.trace_id]) == ["POST /orders"]


@pytest.mark.parametrize("store_was_away", [True, False])
def test_what_could_not_be_sent_is_there_by_its_name_only_if_the_store_was_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, store_was_away: bool
) -> None:
    monkeypatch.setattr(reader, "TRACES_WITHIN_S", -1.0)
    begun = span_of(1, "order", "POST /orders")
    living = [LedgerFile(tmp_path, name, "web") for name in ("order", "cart")]
    living[0].whole(begun)
    living[1].whole(span_of(2, "cart", "PUT /cart", parent=1))
    monkeypatch.setattr(TraceReader, "fetch_otlp", lambda *_: stored(begun))
    checkout = Checkout("b", "h", "k", {}, begun.trace_id, 0.0, "abandoned")

    traces = read_traces(
        "http://store",
        [checkout],
        lambda _: None,
        ledger=Ledger(tmp_path),
        store_was_away=store_was_away,
    )

    for process in living:
        process.die()
    found = list(traces_complete.faults(traces[begun.trace_id], checkout))
    assert found == ([] if store_was_away else ["cart left no span `PUT /cart`"])


@pytest.mark.parametrize(("evicted", "is_read"), [(0, True), (3, False)])
def test_a_trace_that_the_store_made_room_with_is_no_fault_of_the_shop(
    evicted: int, monkeypatch: pytest.MonkeyPatch, *, is_read: bool
) -> None:
    monkeypatch.setattr(TraceReader, "fetch_otlp", lambda *_: None)
    monkeypatch.setattr(TraceReader, "evicted", lambda _: evicted)
    checkout = Checkout("b", "h", "k", {}, "t" * 32, 0.0, "refused")

    with nullcontext() if is_read else pytest.raises(TracesUnread, match="let 3 traces go"):
        assert read_traces("http://store", [checkout], lambda _: None) == {"t" * 32: None}


@pytest.mark.parametrize(
    ("answer", "evicted"),
    [
        (httpx.Response(200, json={"traces": 1, "evicted": 2}), 2),
        (httpx.Response(200, html="<title>Jaeger</title>"), 0),
        (httpx.Response(404, text="404 page not found"), 0),
    ],
)
def test_only_a_store_that_counts_says_what_it_let_go(answer: httpx.Response, evicted: int) -> None:
    with TraceReader("http://store", httpx.MockTransport(lambda _: answer)) as reader:
        assert reader.evicted() == evicted


def names(trace: Trace | None) -> list[str]:
    assert trace
    return [span.name for span in trace.spans]


AWAY = [
    psycopg2.OperationalError("server closed the connection"),
    httpx.ConnectError("refused"),
    EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
]


@pytest.mark.parametrize("error", AWAY, ids=lambda error: type(error).__name__)
def test_a_book_that_is_away_for_a_moment_is_read_when_it_is_back(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "ASK_AGAIN_S", 0.0)
    answers: list[Exception | str] = [error, error, "the book"]

    def read() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert patiently("PostgreSQL", read) == "the book"


@pytest.mark.parametrize("error", AWAY, ids=lambda error: type(error).__name__)
def test_a_book_that_stays_closed_is_named_with_the_reason(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "BACK_WITHIN_S", 0.0)

    def read() -> None:
        raise error

    with pytest.raises(BooksUnread, match=f"the mailbox could not be read: {type(error).__name__}"):
        patiently("the mailbox", read)


def test_what_is_wrong_with_the_reader_is_not_waited_out() -> None:
    def read() -> None:
        raise psycopg2.ProgrammingError("no such column")

    with pytest.raises(psycopg2.ProgrammingError):
        patiently("PostgreSQL", read)
