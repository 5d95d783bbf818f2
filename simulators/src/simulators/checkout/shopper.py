"""One shopper's visit, from the door to knowing what became of the order."""

import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import httpx
from faker import Faker
from harness.audit.books import Checkout
from harness.shopper.client import Line, ShopDidNotAnswer, Shopper, ShopRefused
from harness.shopper.retries import Answer, until_answered
from harness.shopper.staff import Staff
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from simulators.checkout.bot import attack
from simulators.checkout.mix import GOOD_CARD, ORDERS, Persona, Visit, stream

# How often a shopper looks whether the order went through; ever less often.
LOOK_AFTER_S = (0.15, 0.25, 0.4, 0.6, 1.0, 2.0)
# Who brings something back comes another day: money has moved by then, else they come once more.
COMES_AGAIN_S, COMES_BACK_WITHIN_S = 0.5, 60.0
# A shopper goes home after this long; the audit finds out how it ended.
PATIENCE_S = 20.0
# Each reads the cart again; more than a few mean that it will never be as it should.
EDITS_MAX = 5
PASSWORD = "correct horse battery staple"  # noqa: S105  Of invented people.  pragma: allowlist secret

# How a checkout ended, its order, and why: see `Checkout`.
Ending = tuple[str, str | None, str | None]
Sleep = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    email: str


def people(household_ids: Iterable[str], seed: int) -> dict[str, Person]:
    """An invented person for each household, the same for the same seed.

    Made ahead, by one Faker: making a Faker costs more than a whole checkout.
    """
    faker = Faker("en_US")
    found = {}
    for household_id in household_ids:
        faker.seed_instance(f"{seed}/{household_id}")
        email = f"household-{household_id}-{seed}@shoppers.example"
        found[household_id] = Person(faker.name(), email)
    return found


@dataclass(frozen=True, slots=True)
class _Errand:
    """What somebody came for. sleep: how they wait before they look again."""

    shopper: Shopper
    person: Person
    visit: Visit
    sleep: Sleep

    @property
    def lines(self) -> list[Line]:
        return [Line(sku, quantity) for sku, quantity in self.visit.lines.items()]


def visit_shop(
    shopper: Shopper, person: Person, visit: Visit, staff: Staff, *, sleep: Sleep = time.sleep
) -> list[Checkout]:
    """Enter, fill the cart, order, watch. Never raises what the shop may answer.

    Returns one checkout for each try to order, in their order; for who does not order, that visit.
    staff: who takes in what is brought back. sleep: for tests, another.
    """
    errand = _Errand(shopper, person, visit, sleep)
    if visit.persona is Persona.IMPATIENT:
        return _in_two_tabs(errand)
    first = _check_out(errand, partial(_shop, errand))
    if visit.persona is Persona.SECOND_CARD and first.reason == "payment_declined":
        again = replace(visit, payment_method=GOOD_CARD)
        return [first, _order_again(replace(errand, visit=again))]
    if visit.persona is Persona.RETURNER and first.order_id and first.outcome == "confirmed":
        _bring_back(errand, staff, first.order_id)
    if visit.persona is Persona.BOT and shopper.access_token:
        chance = stream(0, f"bot {visit.basket.id}")
        attack(shopper, staff.services, staff.http, errand.lines[0].sku, chance)
    return [first]


def _in_two_tabs(errand: _Errand) -> list[Checkout]:
    """The first is not decided when the second is placed, with a key and a trace of its own.

    The shop cannot know that one was meant. So both are orders, each whole: paid and told of.
    """
    second: list[Future[Checkout]] = []
    # A thread of its own, because what is placed in this one belongs to the first one's trace.
    with ThreadPoolExecutor(1) as tab:

        def open_tab() -> None:
            second.append(tab.submit(_order_again, errand))

        first = _check_out(errand, partial(_shop, errand, placed=open_tab))
    return [first, *(checkout.result() for checkout in second)]


def _order_again(errand: _Errand) -> Checkout:
    return _check_out(errand, partial(_buy, errand, errand.lines))


def _check_out(errand: _Errand, act: Callable[[str], Ending]) -> Checkout:
    """*act*, given a key, in a trace of its own."""
    visit, key, started_at = errand.visit, str(uuid.uuid4()), time.time()
    with errand.shopper.checkout(persona=visit.persona, basket_id=visit.basket.id) as trace_id:
        outcome, order_id, reason = act(key)
    return Checkout(
        basket_id=visit.basket.id,
        shopper=errand.shopper.name,
        key=key,
        lines=visit.lines,
        trace_id=trace_id,
        started_at=started_at,
        outcome=outcome,
        order_id=order_id,
        reason=reason,
        customer_id=errand.shopper.id or None,
    )


def _shop(errand: _Errand, key: str, placed: Callable[[], None] = lambda: None) -> Ending:
    """placed: called when the order is placed and nobody knows yet what becomes of it."""
    lines, persona = errand.lines, errand.visit.persona
    try:
        _enter(errand)
        if persona is Persona.INDECISIVE:
            lines = _change_cart(errand.shopper, lines)
        else:
            errand.shopper.fill_cart(lines)
    except ShopRefused as refused:
        return "refused", None, refused.type
    except ShopDidNotAnswer as silence:
        return "unknown", None, silence.what
    if not ORDERS.get(persona, 1):
        return "abandoned", None, None
    return _buy(errand, lines, key, placed)


def _buy(
    errand: _Errand, lines: list[Line], key: str, placed: Callable[[], None] = lambda: None
) -> Ending:
    order_id = None
    try:
        order_id = _order(errand, lines, key)["id"]
        placed()
        if errand.visit.persona is Persona.CANCELLER:
            _change_mind(errand.shopper, order_id)
        return _watch(errand, order_id)
    except ShopRefused as refused:
        return "refused" if order_id is None else "unknown", order_id, refused.type
    except ShopDidNotAnswer as silence:
        return "unknown", order_id, silence.what


def _enter(errand: _Errand) -> None:
    shopper, person = errand.shopper, errand.person
    if errand.visit.persona is not Persona.RETURNING:
        shopper.enter_as_guest()
        return
    try:
        shopper.register(person.email, PASSWORD)
    except ShopRefused as refused:
        if refused.type != "email-taken":  # They were here before: log in as they did then.
            raise
    shopper.log_in(person.email, PASSWORD)


def _change_cart(shopper: Shopper, lines: list[Line]) -> list[Line]:
    """Two windows show the same cart; one puts too much in, and the other is outdated by that.

    What is ordered in the end is what the shop says is in the cart. Every write names the version
    that it means, so that one which comes late cannot undo what has been done since.
    """
    shown = shopper.cart()["version"]
    few, *others = sorted(lines, key=lambda line: line.quantity)
    for written in ([replace(few, quantity=few.quantity + 1), *others], [few]):
        # That the second one was refused is for the audit to say; it may be that neither came.
        with suppress(ShopRefused, ShopDidNotAnswer):
            shopper.fill_cart(written, version=shown)

    def set_right() -> list[Line]:
        cart = shopper.fill_cart(lines, version=shopper.cart()["version"])
        return [Line(line["sku"], line["quantity"]) for line in cart["lines"]]

    repeating: Retrying = Retrying(
        stop=stop_after_attempt(EDITS_MAX),
        retry=retry_if_exception_type((ShopRefused, ShopDidNotAnswer)),
        reraise=True,
    )
    return repeating(set_right)


def _order(errand: _Errand, lines: list[Line], key: str) -> dict[str, Any]:
    shopper = errand.shopper

    def place() -> dict[str, Any]:
        card = errand.visit.payment_method
        return shopper.place_order(lines, email=errand.person.email, payment_method=card, key=key)

    if errand.visit.persona is not Persona.DOUBLE_CLICKER:
        return place()
    with ThreadPoolExecutor(2) as hands:
        # Both clicks belong to the trace of the checkout that is current here.
        clicks = [hands.submit(shopper.in_this_trace(place)) for _ in range(2)]
        # That both were answered with the same order is for the audit to say.
        return next(click.result() for click in clicks)


def _change_mind(shopper: Shopper, order_id: str) -> None:
    try:
        shopper.cancel(order_id)
    except ShopRefused as refused:
        if refused.type != "not-cancellable":  # Too late: it is confirmed, and that is final.
            raise


def _bring_back(errand: _Errand, staff: Staff, order_id: str) -> None:
    """One piece, when the order has settled: no part of the checkout's trace."""

    def receipt() -> Answer:
        try:
            told = staff.take_in(order_id, promised["id"])
        except httpx.TransportError:
            return Answer(None, {})
        return Answer(told.status, dict(told.body))

    shopper = errand.shopper
    give_up_at = time.monotonic() + COMES_BACK_WITHIN_S
    try:
        while not shopper.order(order_id)["settled"]:
            if time.monotonic() > give_up_at:
                return  # That it never settles is for the audit to say.
            errand.sleep(COMES_AGAIN_S)
        one = replace(errand.lines[0], quantity=1)
        promised = shopper.take_back(order_id, [one], reason="unwanted")
    except (ShopRefused, ShopDidNotAnswer):
        return  # The books say what became of it.
    until_answered(receipt, errand.sleep)


def _watch(errand: _Errand, order_id: str) -> Ending:
    """Look until it is decided; answer the bank, once, if it asks on the way there."""
    give_up_at = time.monotonic() + PATIENCE_S
    looks = iter(LOOK_AFTER_S)
    pause_s = 0.0
    answered = False
    while time.monotonic() < give_up_at:
        pause_s = next(looks, pause_s)
        errand.sleep(pause_s)
        order = errand.shopper.order(order_id)
        if order["status"] != "pending":
            return order["status"], order_id, order["cancel_reason"]
        if order["next_action"] and not answered:
            answered = _answer_bank(errand, order["next_action"]["url"])
    return "unknown", order_id, f"still pending after {PATIENCE_S:.0f} s"


def _answer_bank(errand: _Errand, url: str) -> bool:
    """False if the bank's page did not answer; then it is asked for again at the next look."""
    try:
        is_them = errand.visit.persona is Persona.CHALLENGED
        errand.shopper.answer_challenge(url, approve=is_them)
    except (ShopDidNotAnswer, httpx.TransportError):
        return False
    return True
