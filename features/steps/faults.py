"""Steps about what goes wrong around the shop, and that the shop comes right all the same."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from harness import stack
from harness.audit import reader, settlement
from harness.audit.checkers import audit
from harness.eventually import eventually
from harness.faults.http_rules import HttpFault
from harness.faults.planter import Faults
from harness.faults.rules import Fault, Operation
from harness.process import control
from harness.process.endpoints import Endpoints
from harness.proof.flow_words import ANNOUNCEMENTS
from harness.proof.flows import Proof
from harness.proof.quiescence import TraceIncomplete
from harness.shopper.client import ShopDidNotAnswer
from harness.shopper.scenario_shop import ScenarioShop
from pytest_bdd import given, parsers, then, when

from steps.challenge import bank_asks
from steps.order import Checkout, orders

TOPOLOGY = stack.topology()
# Three restarts, three reminders and a visibility timeout, on a busy machine.
AT_REST_WITHIN_S = 90.0
BACK_WITHIN_S = 30.0
# Long enough that every exporter has tried; nothing comes, however long one waits.
UNPROVEN_AFTER_S = 3.0

# What people say of news, as types of events.
NEWS = {**ANNOUNCEMENTS, "anything happened": ".*"}
# What may become of news: the fault, at which of its steps, and how often.
FATES: Mapping[str, tuple[Fault, Operation, Mapping[str, Any]]] = {
    "is told twice": (Fault.DUPLICATE, Operation.PUBLISH, {}),
    "is always told twice": (Fault.DUPLICATE, Operation.PUBLISH, {"times": 1000}),
    "is handed over twice": (Fault.DUPLICATE, Operation.RECEIVE, {}),
    "is always handed over twice": (Fault.DUPLICATE, Operation.RECEIVE, {"times": 1000}),
    "gets lost": (Fault.DROP, Operation.PUBLISH, {}),
    "is refused three times": (Fault.REFUSE, Operation.PUBLISH, {"times": 3}),
    "is refused twice among others": (Fault.REFUSE_ENTRY, Operation.PUBLISH, {"times": 2}),
    "is told, and its teller does not hear so": (Fault.LOSE_ANSWER, Operation.PUBLISH, {}),
    "gets lost on its way to a reader": (Fault.LOSE_ANSWER, Operation.RECEIVE, {}),
    "is read, and nobody notes that it was": (Fault.DROP, Operation.DELETE, {}),
    "is late by two seconds": (Fault.DELAY, Operation.PUBLISH, {"delay_s": 2.0}),
    "arrives garbled": (Fault.GARBLE, Operation.PUBLISH, {}),
}
LINES = {
    "the cache": "redis",
    "the trace store": "otlp",
    "the payment provider": "payment-provider",
}
# Who asks whom for what, and what may become of that; "too late": nobody waits for prices so long.
REQUESTS = {
    "her order": ("order", "POST /orders"),
    "her cancellation": ("order", "POST /orders/.*/cancellation"),
    "the question for prices": ("catalog", "POST /quotes"),
    "the provider's word": ("payment", "POST /webhooks/payment-provider"),
}
ACCIDENTS: Mapping[str, tuple[HttpFault, Mapping[str, Any]]] = {
    "arrives, and is not answered": (HttpFault.LOSE_ANSWER, {}),
    "is lost on its way": (HttpFault.RESET, {}),
    "is not taken, twice": (HttpFault.UNAVAILABLE, {"times": 2}),
    "is answered too late": (HttpFault.DELAY, {"delay_s": 2.5}),
}


@dataclass
class Planted:
    """What this scenario spoilt: entries that the journal must show, and processes that died."""

    entries: list[tuple[str, int, str]] = field(default_factory=list)
    died: dict[str, int] = field(default_factory=dict)


@pytest.fixture
def planted() -> Planted:
    return Planted()


@given(parsers.re(r"the news that (?P<news>.+?) (?P<fate>is|gets|arrives)(?P<rest> .+)"))
def news_is_spoilt(faults: Faults, planted: Planted, news: str, fate: str, rest: str) -> None:
    fault, operation, more = FATES[fate + rest]
    faults.spoil(fault, NEWS[news], operation=operation, **more)
    planted.entries.append((fault, 1, ""))
    if fault is Fault.DELAY:
        planted.entries.append(("released", 1, ""))


@given(parsers.re(r"the news that (?P<late>.+) comes after the news that (?P<early>.+)"))
def news_overtakes(faults: Faults, planted: Planted, late: str, early: str) -> None:
    faults.spoil(Fault.HOLD, NEWS[late], until=NEWS[early])
    planted.entries += [(Fault.HOLD, 1, ""), ("released", 1, "")]


@given(parsers.re(r"(?P<what>the .+) cannot be reached"))
def cannot_be_reached(faults: Faults, planted: Planted, what: str) -> None:
    faults.cut_line(LINES[what])
    planted.entries.append(("down", 1, LINES[what]))


@given(parsers.re(r"(?P<what>the .+) answers (?P<ms>\d+) ms late"), converters={"ms": int})
def answers_late(faults: Faults, planted: Planted, what: str, ms: int) -> None:
    faults.poison_line(LINES[what], "latency", latency=ms)
    planted.entries.append(("latency", 1, LINES[what]))


@given(parsers.re(r"(?P<what>the .+) hears, and its answers get lost"))
def answers_get_lost(faults: Faults, planted: Planted, what: str) -> None:
    faults.poison_line(LINES[what], "limit_data", bytes=0)
    planted.entries.append(("limit_data", 2, LINES[what]))


@given(parsers.re(r"(?P<what>the .+) hangs up on everybody"))
def hangs_up(faults: Faults, planted: Planted, what: str) -> None:
    faults.poison_line(LINES[what], "reset_peer", "upstream")
    planted.entries.append(("reset_peer", 2, LINES[what]))


@given(
    parsers.re(
        r"(?P<request>her .+|the question .+|the provider's word) "
        r"(?P<accident>arrives, and is not answered|is lost on its way|is not taken, twice"
        r"|is answered too late)"
    )
)
def goes_astray(faults: Faults, planted: Planted, request: str, accident: str) -> None:
    (service, asked), (fault, more) = REQUESTS[request], ACCIDENTS[accident]
    faults.spoil_http(fault, service, asked, **more)
    planted.entries.append((fault, more.get("times", 1), service))


@when("that has happened and is mended")
def is_mended(faults: Faults, planted: Planted) -> None:
    that_happened(faults, planted)
    faults.mend()


@when("she orders while every connection to the database is cut")
def orders_while_cut(faults: Faults, checkout: Checkout) -> None:
    assert faults.cut_database() > 0
    orders(checkout)
    assert faults.cut_database() > 0


@then("that really happened")
def that_happened(faults: Faults, planted: Planted) -> None:
    for what, times, place in planted.entries:
        faults.assert_happened(what, times, place)
    for name, pid in planted.died.items():
        eventually(lambda: pid_of(faults, name) not in {0, pid}, BACK_WITHIN_S, f"{name} is back")  # noqa: B023  Asked before the next.


def pid_of(faults: Faults, name: str) -> int:
    try:
        return int(control.find(faults.home, name).pid)
    except control.ProcessGone:
        return 0


@then("it was paid once, and in full")
def was_paid_once(shop: ScenarioShop, checkout: Checkout) -> None:
    total = checkout.shopper.order(checkout.order_id)["total_minor"]
    payments = shop.payments(checkout.order_id)

    assert [(p["captured_minor"], p["refunded_minor"]) for p in payments] == [(total, 0)]


@then("the shop comes to rest, and its books agree")
def books_agree(endpoints: Endpoints, faults: Faults) -> None:
    """All books, of every scenario before as well."""
    eventually(lambda: not faults.held(), AT_REST_WITHIN_S, "nothing held back")
    left = settlement.wait_until_settled(endpoints, AT_REST_WITHIN_S)
    assert not left, str(left)
    found = violations(endpoints, planted_loss=faults.lost_event_ids())
    assert not found, found


def violations(endpoints: Endpoints, planted_loss: set[str]) -> list[str]:
    """What the audit finds, but that planted messages went where we sent them."""
    planted = reader.Planted(planted_loss)
    books = reader.read_books(endpoints, TOPOLOGY, (), (), since=0.0, planted=planted)
    return [
        f"{finding.checker.name}: {violation.message}"
        for finding in audit(books)
        for violation in finding.violations
    ]


@then("nobody can say that they saw all of it")
def is_unproven(proof: Proof, checkout: Checkout) -> None:
    with pytest.raises(TraceIncomplete, match=r"ended in .* and is not stored"):
        proof.flow(checkout.trace_id, UNPROVEN_AFTER_S)


@when("nobody pays in time", target_fixture="challenge_url")
def deadline_passes(faults: Faults, shop: ScenarioShop, checkout: Checkout) -> str:
    url = bank_asks(shop, checkout)
    faults.pass_deadline(checkout.order_id)
    return url


@when("she answers her bank after all")
def answers_after_all(checkout: Checkout, challenge_url: str) -> None:
    with pytest.raises(ShopDidNotAnswer, match=r"4(09|10)"):  # Its question is closed by now.
        checkout.shopper.answer_challenge(challenge_url, approve=True)


@then("no money of hers is kept")
def no_money_is_kept(shop: ScenarioShop, checkout: Checkout) -> None:
    payments = shop.payments(checkout.order_id)

    assert [p["captured_minor"] - p["refunded_minor"] for p in payments] == [0]
    assert {p["status"] for p in payments} <= {"voided", "declined", "refunded", "canceled"}


@when("her order is cancelled, because it took too long")
@then("her order is cancelled, because it took too long")
def took_too_long(shop: ScenarioShop, checkout: Checkout) -> None:
    order = shop.settled(checkout.shopper, checkout.order_id)

    assert (order["status"], order["cancel_reason"]) == ("cancelled", "deadline_exceeded")
