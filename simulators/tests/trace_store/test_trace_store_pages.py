"""What a person sees."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from simulators.trace_store.pages import RECENT, duration
from simulators.trace_store.waterfall import ROWS_MAX

MakeSpan = Callable[..., Span]
ERROR = {"code": 2, "message": "card declined"}


def text_of(html: str) -> str:
    """What is read: tags and styles taken out, blanks joined."""
    html = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_the_first_page_says_when_there_is_nothing_yet(running: Any) -> None:
    assert "No trace yet" in running.get("/").text


def test_the_first_page_lists_the_latest_traces_latest_first(running: Any, span: MakeSpan) -> None:
    running.send(span(1, 1, name="POST /orders"), span(1, 2, parent=1, status=ERROR))
    running.send(span(1, 3, parent=1), service="payment")
    running.send(span(2, 1, name="GET /products"))

    seen = text_of(running.get("/").text)

    assert seen.index("GET /products") < seen.index("POST /orders")
    assert re.search(r"POST /orders order \S+ \S+ 4.00 ms 2 3 ✗ 1", seen)


def test_the_first_page_is_bounded(running: Any, span: MakeSpan) -> None:
    running.send(*(span(trace, 1) for trace in range(1, RECENT + 2)))

    page = running.get("/").text

    assert page.count('href="/trace/') == RECENT
    assert f"/trace/{1:032x}" not in page


def test_a_trace_is_shown_as_a_waterfall(running: Any, span: MakeSpan) -> None:
    running.send(
        span(1, 1, name="POST /orders", start_time_unix_nano=0, end_time_unix_nano=10_000_000),
        span(1, 5, parent=1, name="authorize", status=ERROR),
    )

    page = running.get(f"/trace/{1:032x}").text

    assert 'aria-label="from 5.00 ms for 2.00 ms"' in page
    assert 'x="50.000" y="2" width="20.000"' in page
    assert "authorize ✗ failed" in text_of(page)
    assert "card declined" in text_of(page)
    assert page.index("POST /orders") < page.index("authorize")


def test_links_lead_to_their_span_here_or_in_another_trace(running: Any, span: MakeSpan) -> None:
    here, far = span(1, 1), span(7, 9)
    links = [{"trace_id": to.trace_id, "span_id": to.span_id} for to in (here, far)]
    running.send(here, span(1, 2), span(1, 3, parent=2, links=links))

    page = running.get("/trace/1").text

    assert f'→ <a href="#span-{1:016x}">order: span 1</a>' in page
    assert f'→ <a href="/trace/{7:032x}#span-{9:016x}">trace 00000000</a>' in page
    assert f'id="span-{1:016x}"' in page


def test_a_missing_parent_is_told(running: Any, span: MakeSpan) -> None:
    running.send(span(1, 2, parent=1))

    assert f"its parent {1:016x} is not here" in text_of(running.get("/trace/1").text)


def test_what_a_span_says_is_text_never_markup(running: Any, span: MakeSpan) -> None:
    attack = "<script>alert(1)</script>"
    attribute = {"key": attack, "value": {"string_value": attack}}
    running.send(span(1, 1, name=attack, attributes=[attribute]), service=attack)

    answers = [running.get("/"), running.get("/trace/1")]

    for answer in answers:
        assert "&lt;script&gt;" in answer.text
        assert "<script" not in answer.text
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_a_very_large_trace_shows_its_first_spans_and_says_so(running: Any, span: MakeSpan) -> None:
    running.send(*(span(1, number) for number in range(1, ROWS_MAX + 11)))

    page = running.get("/trace/1").text

    assert page.count("<tr id=") == ROWS_MAX
    assert "10 more are in the JSON" in text_of(page)


def test_however_deep_each_level_has_an_indent_and_names_have_room(
    running: Any, span: MakeSpan
) -> None:
    running.send(*(span(1, number, parent=number - 1) for number in range(1, 32)))

    page = running.get("/trace/1").text

    depths = [int(depth) for depth in re.findall(r'style="--depth: (\d+)"', page)]
    assert depths == list(range(31))
    assert 'style="--indent: 0.300rem"' in page


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [("/trace/abc", 404, "No such trace"), ("/trace/<b>", 400, "That is not a trace id")],
)
def test_a_trace_that_is_not_there_gets_a_page_too(
    running: Any, path: str, status: int, words: str
) -> None:
    answer = running.get(path)

    assert answer.status_code == status
    assert words in text_of(answer.text)
    assert "<b>" not in answer.text


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [(0, "0.00 ms"), (0.416, "0.42 ms"), (18.34, "18.3 ms"), (412.2, "412 ms"), (2_310, "2.31 s")],
)
def test_a_duration_has_three_digits_that_matter(milliseconds: float, shown: str) -> None:
    assert duration(milliseconds) == shown
