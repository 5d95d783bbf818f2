"""One shopper's visit, from the door to knowing what became of the order."""

import time
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
from faker import Faker
from harness.audit.books import Checkout
from harness.shopper.client import Line, ShopDidNotAnswer, Shopper, ShopRefused
from harness.shopper.retries import Answer, until_answered
from harness.shopper.staff import Staff

from simulators.checkout.mix import Persona, Visit

# How often a shopper looks whether the order went through; ever less often.
LOOK_AFTER_S = (0.15, 0.25, 0.4, 0.6, 1.0, 2.0)
# Who brings something back comes another day: money has moved by then, else they come once more.
COMES_AGAIN_S, COMES_BACK_WITHIN_S = 0.5, 60.0
# A shopper goes home after this long; the audit finds out how it ended.
PATIENCE_S = 20.0
PASSWORD = "correct horse battery staple"  # noqa: S105  Of invented people.  pragma: allowlist secret


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


def visit_shop(shopper: Shopper, person: Person, visit: Visit, staff: Staff) -> Checkout:
    """Enter, fill the cart, order, watch. Never raises what the shop may answer.

    staff: who takes in what is brought back.
    """
    lines = [Line(sku, quantity) for sku, quantity in visit.lines.items()]
    key = str(uuid.uuid4())
    started_at = time.time()
    with shopper.checkout(persona=visit.persona, basket_id=visit.basket.id) as trace_id:
        outcome, order_id, reason = _shop(shopper, person, visit, lines, key)
    if visit.persona is Persona.RETURNER and order_id and outcome == "confirmed":
        _bring_back(shopper, staff, order_id, lines[0].sku)
    return Checkout(
        basket_id=visit.basket.id,
        shopper=shopper.name,
        key=key,
        lines=visit.lines,
        trace_id=trace_id,
        started_at=started_at,
        outcome=outcome,
        order_id=order_id,
        reason=reason,
    )


def _shop(
    shopper: Shopper, person: Person, visit: Visit, lines: list[Line], key: str
) -> tuple[str, str | None, str | None]:
    order_id = None
    try:
        _enter(shopper, person, visit.persona)
        shopper.fill_cart(lines)
        order = _order(shopper, person, visit, lines, key)
        order_id = order["id"]
        if visit.persona is Persona.CANCELLER:
            _change_mind(shopper, order["id"])
        return _watch(shopper, order["id"], visit.persona)
    except ShopRefused as refused:
        return ("refused", None, refused.type) if order_id is None else ("unknown", order_id, None)
    except ShopDidNotAnswer:
        return "unknown", order_id, None


def _enter(shopper: Shopper, person: Person, persona: Persona) -> None:
    if persona is not Persona.RETURNING:
        shopper.enter_as_guest()
        return
    try:
        shopper.register(person.email, PASSWORD)
    except ShopRefused as refused:
        if refused.type != "email-taken":  # They were here before: log in as they did then.
            raise
    shopper.log_in(person.email, PASSWORD)


def _order(
    shopper: Shopper, person: Person, visit: Visit, lines: list[Line], key: str
) -> dict[str, Any]:
    def place() -> dict[str, Any]:
        return shopper.place_order(
            lines, email=person.email, payment_method=visit.payment_method, key=key
        )

    if visit.persona is not Persona.DOUBLE_CLICKER:
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


def _bring_back(shopper: Shopper, staff: Staff, order_id: str, sku: str) -> None:
    """One piece, when the order has settled: no part of the checkout's trace."""

    def receipt() -> Answer:
        try:
            told = staff.take_in(order_id, promised["id"])
        except httpx.TransportError:
            return Answer(None, {})
        return Answer(told.status, dict(told.body))

    give_up_at = time.monotonic() + COMES_BACK_WITHIN_S
    try:
        while not shopper.order(order_id)["settled"]:
            if time.monotonic() > give_up_at:
                return  # That it never settles is for the audit to say.
            time.sleep(COMES_AGAIN_S)
        promised = shopper.take_back(order_id, [Line(sku, 1)], reason="unwanted")
    except (ShopRefused, ShopDidNotAnswer):
        return  # The books say what became of it.
    until_answered(receipt, time.sleep)


def _watch(shopper: Shopper, order_id: str, persona: Persona) -> tuple[str, str, str | None]:
    """Look until it is decided; answer the bank, once, if it asks on the way there."""
    give_up_at = time.monotonic() + PATIENCE_S
    looks = iter(LOOK_AFTER_S)
    pause_s = 0.0
    answered = False
    while time.monotonic() < give_up_at:
        pause_s = next(looks, pause_s)
        time.sleep(pause_s)
        order = shopper.order(order_id)
        if order["status"] != "pending":
            return order["status"], order_id, order["cancel_reason"]
        if order["next_action"] and not answered:
            answered = _answer_bank(shopper, order["next_action"]["url"], persona)
    return "unknown", order_id, None


def _answer_bank(shopper: Shopper, url: str, persona: Persona) -> bool:
    """False if the bank's page did not answer; then it is asked for again at the next look."""
    try:
        shopper.answer_challenge(url, approve=persona is Persona.CHALLENGED)
    except (ShopDidNotAnswer, httpx.TransportError):
        return False
    return True
