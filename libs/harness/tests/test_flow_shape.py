"""Two runs of one flow have one shape, and two flows have two."""

from pathlib import Path

from harness.proof.flow_shape import alternatives, difference, nearest, shape, write
from harness.traces.causality import Trace
from harness.traces.spans import Kind, Span, Status
from ledgers_for_tests import span_of

ROOT = span_of(0, "shopper", "checkout")
ORDER = span_of(1, "order", "POST /orders", 0, kind=Kind.SERVER)
PLACED = span_of(2, "order", "publish order.placed", 1, kind=Kind.PRODUCER)
BY_STOCK = span_of(3, "inventory", "process order.placed", 2, kind=Kind.CONSUMER)
BY_CART = span_of(4, "cart", "process order.placed", 2, kind=Kind.CONSUMER)
SHAPE = (
    "shopper: checkout",
    "  order: POST /orders",
    "    order: publish order.placed",
    "      cart: process order.placed",
    "      inventory: process order.placed",
)


def shape_of(*more: Span) -> tuple[str, ...]:
    return shape(Trace((ROOT, ORDER, PLACED, BY_STOCK, BY_CART, *more)))


def event(number: int, service: str, effect: str, event_id: str = "e-1") -> Span:
    return span_of(
        number, service, "process order.placed", 2, kind=Kind.CONSUMER,
        attributes={"app.event.id": event_id, "app.effect": effect},
    )  # fmt: skip


def test_a_shape_is_who_did_what_because_of_what() -> None:
    assert shape_of() == SHAPE


def test_siblings_of_different_processes_have_no_order() -> None:
    later = span_of(9, "inventory", "process order.placed", 2, kind=Kind.CONSUMER)

    assert shape(Trace((ROOT, ORDER, PLACED, BY_CART, later))) == SHAPE


def test_what_the_customer_does_has_an_order() -> None:
    pay = span_of(5, "shopper", "pay", 0)
    again = span_of(6, "shopper", "look", 0)
    pay_late = span_of(7, "shopper", "pay", 0)

    assert shape(Trace((ROOT, pay, again))) != shape(Trace((ROOT, again, pay_late)))


def test_noise_of_a_run_leaves_no_trace_in_the_shape() -> None:
    noise = (
        span_of(10, "order", "GET /orders/<id>", 0, kind=Kind.SERVER),
        span_of(11, "payment", "POST /webhooks/payment-provider", 1, kind=Kind.SERVER),
        span_of(12, "order", "POST", 1, kind=Kind.CLIENT),
        span_of(13, "catalog", "POST /quotes", 1, kind=Kind.SERVER, status=Status.ERROR),
        event(14, "cart", "duplicate"),
        event(15, "cart", "rolled_back"),
    )

    assert shape_of(*noise) == SHAPE


def test_what_a_left_out_span_caused_hangs_under_the_next_above() -> None:
    inner = span_of(10, "order", "work", 1)
    told = span_of(11, "order", "publish order.seen", 10, kind=Kind.PRODUCER)

    assert "    order: publish order.seen" in shape_of(inner, told)


def test_an_event_sent_twice_is_one_and_two_events_are_two() -> None:
    once = event(20, "payment", "applied")
    again = event(21, "payment", "applied")
    other = event(22, "payment", "applied", "e-2")

    assert shape_of(once, again) == shape_of(once)
    assert "      payment: process order.placed ×2" in shape_of(once, other)


def test_a_circle_of_parents_ends() -> None:
    one = span_of(1, "order", "POST /a", 2, kind=Kind.SERVER)
    two = span_of(2, "order", "POST /b", 1, kind=Kind.SERVER)

    assert shape(Trace((ROOT, one, two))) == ("shopper: checkout",)


def test_the_first_difference_is_marked() -> None:
    found = (*SHAPE[:3], "      cart: process order.placed", "      payment: process order.placed")

    said = difference(SHAPE, found)

    assert said.splitlines()[4:] == [
        "──▶ -       inventory: process order.placed",
        "    +       payment: process order.placed",
    ]
    assert difference(SHAPE, SHAPE) == ""


def test_one_of_several_ways_is_enough_and_the_nearest_is_shown() -> None:
    ways = alternatives("# paid\na\n  b\n\nor\nc\n  d\n")

    assert ways == [("a", "  b"), ("c", "  d")]
    assert nearest(ways, ("c", "  d")) == ""
    assert "──▶ -   d" in nearest(ways, ("c",))


def run(tmp_path: Path, name: str) -> Path:
    folder = tmp_path / name
    folder.mkdir()
    return folder


def test_a_known_way_is_kept_with_its_alternatives_and_a_new_one_replaces_it(
    tmp_path: Path,
) -> None:
    file = tmp_path / "flows" / "paid.txt"
    trace = Trace((ROOT, ORDER))

    write(file, "paid", trace, run(tmp_path, "first"))
    first = file.read_text()
    file.write_text(first + "or\nshopper: checkout\n")
    write(file, "paid", trace, run(tmp_path, "second"))
    kept = file.read_text()
    write(file, "paid", Trace((ROOT, ORDER, PLACED)), run(tmp_path, "third"))

    assert first.splitlines()[1:] == ["shopper: checkout", "  order: POST /orders"]
    assert kept.endswith("or\nshopper: checkout\n")
    assert alternatives(file.read_text()) == [SHAPE[:3]]


def test_ways_that_one_run_went_by_one_name_stand_beside_each_other(tmp_path: Path) -> None:
    file, this_run = tmp_path / "flows" / "paid.txt", run(tmp_path, "run")
    traces = Trace((ROOT, ORDER)), Trace((ROOT, ORDER, PLACED))
    write(file, "paid", Trace((ROOT,)), run(tmp_path, "of_yesterday"))

    for trace in (*traces, *traces):
        write(file, "paid", trace, this_run)

    assert alternatives(file.read_text()) == [shape(trace) for trace in traces]
    assert [path.name for path in file.parent.iterdir()] == ["paid.txt"]


def test_a_way_that_this_run_has_found_known_is_not_replaced_by_it(tmp_path: Path) -> None:
    file, this_run = tmp_path / "flows" / "paid.txt", run(tmp_path, "run")
    known, new = Trace((ROOT, ORDER)), Trace((ROOT, ORDER, PLACED))
    write(file, "paid", known, run(tmp_path, "of_yesterday"))

    write(file, "paid", known, this_run)
    write(file, "paid", new, this_run)

    assert alternatives(file.read_text()) == [shape(known), shape(new)]
