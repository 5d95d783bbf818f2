"""Traces built by hand, small enough to see why each claim holds; each claim has its opposite."""

from typing import Any

import httpx
import pytest
from harness.traces.card_data import card_numbers, no_card_data
from harness.traces.causality import Trace
from harness.traces.reader import TraceReader
from harness.traces.spans import AttributeValue, Event, Kind, Link, Span, Status, decode_spans

TRACE_ID = "a" * 32
MS = 1_000_000
VISA = "4242424242424242"


def span(
    span_id: str,
    parent: str | None = None,
    *,
    at: tuple[int, int] = (0, 10),
    service: str = "order",
    instance: str | None = None,
    **changes: Any,
) -> Span:
    """A span from `at[0]` to `at[1]` ms; alone in its process unless *instance* says otherwise."""
    fields: dict[str, Any] = {
        "trace_id": TRACE_ID,
        "span_id": span_id,
        "parent_span_id": parent,
        "name": span_id,
        "kind": Kind.INTERNAL,
        "service": service,
        "start_ns": at[0] * MS,
        "end_ns": at[1] * MS,
        "resource": {"service.instance.id": instance or f"process-of-{span_id}"},
    }
    return Span(**(fields | changes))


def link(span_id: str, trace_id: str = TRACE_ID) -> Link:
    return Link(trace_id, span_id)


def trace(*spans: Span) -> Trace:
    return Trace(spans)


# --- reading OTLP/JSON


def otlp(*spans: dict[str, Any]) -> dict[str, Any]:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "order"}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": list(spans)}]}]}


ENCODED: dict[str, Any] = {
    "traceId": TRACE_ID,
    "spanId": "01",
    "parentSpanId": "",
    "name": "POST /orders",
    "kind": 2,
    "startTimeUnixNano": "1000000",
    "endTimeUnixNano": "3500000",
    "status": {"code": 2, "message": "no stock"},
}


@pytest.mark.parametrize(
    ("encoded", "value"),
    [
        ({"stringValue": ""}, ""),
        ({"boolValue": False}, False),
        ({"intValue": "9007199254740993"}, 9007199254740993),
        ({"doubleValue": 1}, 1.0),
        ({"bytesValue": "AQI="}, b"\x01\x02"),
        ({"arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "x"}]}}, [1, "x"]),
        ({"kvlistValue": {"values": [{"key": "k", "value": {"boolValue": True}}]}}, {"k": True}),
        ({}, None),
    ],
)
def test_an_attribute_keeps_its_type(encoded: dict[str, Any], value: AttributeValue) -> None:
    encoded_span = ENCODED | {"attributes": [{"key": "it", "value": encoded}]}

    (decoded,) = decode_spans(otlp(encoded_span))

    assert decoded.attributes == {"it": value}
    assert type(decoded.attributes["it"]) is type(value)


def test_a_span_is_read_whole() -> None:
    events = [{"name": "retried", "timeUnixNano": "2000000"}]
    links = [{"traceId": TRACE_ID, "spanId": "02"}]

    (decoded,) = decode_spans(otlp(ENCODED | {"events": events, "links": links}))

    assert decoded.parent_span_id is None
    assert (decoded.service, decoded.name, decoded.kind) == ("order", "POST /orders", Kind.SERVER)
    assert (decoded.duration_ms, decoded.failed) == (2.5, True)
    assert decoded.status_message == "no stock"
    assert decoded.events == (Event("retried", 2_000_000),)
    assert decoded.links == (link("02"),)


def test_a_span_that_was_sent_twice_counts_once() -> None:
    again = Trace.from_otlp(otlp(ENCODED, ENCODED, ENCODED | {"spanId": "02"}))

    assert [span.span_id for span in again.spans] == ["01", "02"]


# --- roots, orphans, services, find


def test_a_root_has_no_parent() -> None:
    checkout = trace(span("child", "root"), span("root"))

    assert checkout.roots == (span("root"),)


def test_a_whole_trace_has_no_orphans() -> None:
    checkout = trace(span("root"), span("child", "root", links=(link("root"),)))

    assert checkout.orphans() == ()


def test_a_span_whose_parent_is_missing_is_an_orphan() -> None:
    lost = span("child", "gone")
    checkout = trace(span("root"), lost)

    assert checkout.orphans() == (lost,)
    assert checkout.unresolved(lost) == ((TRACE_ID, "gone"),)


def test_a_link_into_the_trace_must_resolve() -> None:
    lost = span("child", "root", links=(link("gone"),))

    assert trace(span("root"), lost).orphans() == (lost,)


def test_a_link_to_another_trace_leads_outside() -> None:
    consumer = span("root", links=(link("far", trace_id="b" * 32),))

    assert trace(consumer).orphans() == ()


def test_a_parent_of_the_same_id_in_another_trace_does_not_count() -> None:
    elsewhere = span("root", trace_id="b" * 32)
    lost = span("child", "root")

    assert trace(elsewhere, lost).orphans() == (lost,)


def test_services_are_those_that_left_a_span() -> None:
    assert trace(span("1"), span("2", service="payment")).services() == {"order", "payment"}


def test_find_matches_everything_given() -> None:
    wanted = span("2", service="payment", kind=Kind.CONSUMER, attributes={"app.effect": "applied"})
    checkout = trace(span("1"), wanted, span("3", service="payment"))

    found = checkout.find("payment", "2", "CONSUMER", **{"app.effect": "applied"})

    assert found == (wanted,)
    assert checkout.find("payment", "2", Kind.PRODUCER) == ()


@pytest.mark.parametrize("value", [True, 1.0, "1", None])
def test_find_compares_type_as_well_as_value(value: AttributeValue) -> None:
    checkout = trace(span("1", attributes={"quantity": 1}))

    assert checkout.find(quantity=value) == ()
    assert len(checkout.find(quantity=1)) == 1


def test_a_missing_attribute_is_not_an_empty_one() -> None:
    assert trace(span("1")).find(**{"error.type": None}) == ()


# --- led to


def test_a_cause_comes_before_what_it_led_to_over_parents_and_links() -> None:
    placed, published = span("placed"), span("published", "placed")
    reserved = span("reserved", links=(link("published"),))
    checkout = trace(reserved, published, placed)

    assert checkout.led_to(placed, reserved)
    assert not checkout.led_to(reserved, placed)


def test_siblings_in_two_processes_have_no_order_whatever_their_clocks_say() -> None:
    early, late = span("early", "root", at=(0, 1)), span("late", "root", at=(500, 501))
    checkout = trace(span("root", at=(0, 900)), early, late)

    assert not checkout.led_to(early, late)
    assert not checkout.led_to(late, early)


def test_what_came_later_in_the_same_process_was_not_caused_by_what_came_first() -> None:
    first = span("first", at=(0, 5), instance="web-1")
    second = span("second", at=(5, 9), instance="web-1")

    assert not trace(first, second).led_to(first, second)


def test_a_span_does_not_lead_to_itself_even_in_a_circle_of_links() -> None:
    one, two = span("1", links=(link("2"),)), span("2", links=(link("1"),))
    checkout = trace(one, two)

    assert not checkout.led_to(one, one)
    assert checkout.led_to(one, two)


def test_asking_about_a_span_of_another_trace_is_an_error() -> None:
    with pytest.raises(ValueError, match="not in this trace: order: stranger"):
        trace(span("1")).led_to(span("1"), span("stranger"))


def test_a_path_of_five_thousand_causes_is_found() -> None:
    spans = [span(f"{n:04}", f"{n - 1:04}" if n else None) for n in range(5_000)]
    checkout = trace(*spans)

    assert checkout.led_to(spans[0], spans[-1])
    assert not checkout.led_to(spans[-1], spans[0])


# --- the tree


def test_the_tree_shows_who_called_whom_what_failed_and_where_links_lead() -> None:
    checkout = trace(
        span("POST /orders", at=(0, 12)),
        span("publish", "POST /orders", at=(2, 3)),
        span("authorize", "publish", service="payment", status=Status.ERROR, status_message="no"),
        span("retry", "gone", at=(20, 21), links=(link("publish"), link("01" * 8, "b" * 32))),
        span("consume", "publish", at=(5, 6), links=(link("publish"),)),
    )

    assert checkout.tree().splitlines() == [
        "order: POST /orders 12.0 ms",
        "  order: publish 1.0 ms",
        "    payment: authorize 10.0 ms ✗ no",
        "    order: consume 1.0 ms",
        "order: retry 1.0 ms (parent gone missing) → order: publish → bbbbbbbb/01010101 (afar)",
    ]


def test_the_tree_loses_no_span_even_when_parents_form_a_circle() -> None:
    checkout = trace(span("root"), span("a", "b"), span("b", "a"))

    assert [shown.span_id for _, shown in checkout.walk()] == ["root", "a", "b"]


def test_the_tree_of_a_very_deep_trace_can_be_drawn() -> None:
    chain = [span(str(n), str(n - 1) if n else None) for n in range(3_000)]

    assert trace(*chain).tree().count("\n") == 2_999


# --- reading a store


class Jaeger:
    """Answers as Jaeger does: 404 until *appears_at*-th read, then the encoded spans."""

    def __init__(self, *spans: dict[str, Any], appears_at: int = 1) -> None:
        self.requests: list[httpx.Request] = []
        self._spans, self._appears_at = spans, appears_at

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if len(self.requests) < self._appears_at:
            refusal = {"error": {"httpCode": 404, "message": "No traces found"}}
            return httpx.Response(404, json=refusal)
        return httpx.Response(200, json={"result": otlp(*self._spans)})


def reader_of(answer: Any) -> TraceReader:
    return TraceReader("http://jaeger", transport=httpx.MockTransport(answer))


def test_a_trace_is_read_raw_by_its_id() -> None:
    jaeger = Jaeger(ENCODED)

    found = reader_of(jaeger).fetch(TRACE_ID)

    assert found is not None
    assert [span.name for span in found.spans] == ["POST /orders"]
    assert jaeger.requests[0].url.path == f"/api/v3/traces/{TRACE_ID}"
    assert jaeger.requests[0].url.params["rawTraces"] == "true"


def test_an_unknown_trace_is_none() -> None:
    assert reader_of(Jaeger(appears_at=2)).fetch(TRACE_ID) is None


@pytest.mark.parametrize(
    "answer", [httpx.Response(404, text="404 page not found"), httpx.Response(500)]
)
def test_any_other_refusal_is_loud(answer: httpx.Response) -> None:
    with pytest.raises(httpx.HTTPStatusError):
        reader_of(lambda _: answer).fetch(TRACE_ID)


# --- card data


@pytest.mark.parametrize(
    ("leaky", "place"),
    [
        (span("1", attributes={"card": VISA}), "attribute"),
        (span("1", attributes={"card": int(VISA)}), "attribute"),
        (span("1", attributes={"cards": [{"number": VISA}]}), "attribute"),
        (span("1", attributes={"card": VISA.encode()}), "attribute"),
        (span("1", resource={"note": VISA}), "resource"),
        (span("1", events=(Event("paid", 0, {"card": VISA}),)), "event"),
        (span("1", links=(Link(TRACE_ID, "2", {"card": VISA}),)), "link"),
        (span("1", name=f"pay with {VISA}"), "name"),
        (span("1", status_message=f"{VISA} refused"), "status"),
    ],
)
def test_a_card_number_is_found_wherever_a_span_may_say_it(leaky: Span, place: str) -> None:
    (found,) = no_card_data(trace(span("clean"), leaky))

    assert (found.span, found.place, found.last_digits) == (leaky, place, "4242")
    assert VISA not in str(found)


@pytest.mark.parametrize(
    "text",
    [
        "4242 4242 4242 4242",
        "4242-4242-4242-4242",
        "4242424242424242 12/27 123",
        "3782 822463 10005",
        "378282246310005",
        "pan=5555555555554444;",
        "tok_4242424242424242",
    ],
)
def test_a_card_number_is_found_in_any_dress(text: str) -> None:
    assert len(list(card_numbers(text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "4242424242424241",  # fails Luhn
        "424242424242",  # too short
        "42424242424242424242",  # too long
        "1790000000000000005",  # a time in nanoseconds
        "abcd4242-4242-4242-4242-abcdef012345",  # a UUID
        "00-4bf92f3577b34dac4242424242424242-00f067aa0ba902b7-01",  # a traceparent
        "evt_4242424242424242abcdef01",  # an id of the payment provider's
        "order 4242 of 4242",
        "",
    ],
)
def test_what_only_looks_like_a_card_number_is_left_alone(text: str) -> None:
    assert list(card_numbers(text)) == []
