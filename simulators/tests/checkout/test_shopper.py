"""What each persona asks of a shop that does as it should, but for the answers that get lost."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest
from harness.audit.books import Books, Checkout
from harness.audit.checkers import read_your_writes
from harness.shopper.client import Shopper, Urls
from harness.shopper.history import History, Outcome
from harness.shopper.staff import Staff
from simulators.checkout.mix import GOOD_CARD, Persona, Visit
from simulators.checkout.shopper import Person, visit_shop
from simulators.journey.domain import Basket, JourneyLine

URLS = Urls("http://auth", "http://cart", "http://catalog", "http://order")
LINES = {"MUG-1": 3, "JAR-1": 1}
STALE = httpx.Response(412, json={"type": "/problems/version-mismatch", "title": "stale"})


class Shop:
    """One customer's. loses: whether the answer to a request, which is done, gets lost."""

    def __init__(self) -> None:
        self.orders: list[httpx.Request] = []
        self.cart: list[dict[str, object]] = []
        self.version = 0
        self.ignores_versions = False
        self.loses: Callable[[httpx.Request], bool] = lambda _: False
        self.history = History()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        answer = self._answer(request)
        if self.loses(request):
            raise httpx.ReadTimeout("the answer was lost")
        return answer

    def _answer(self, request: httpx.Request) -> httpx.Response:
        match request.method, request.url.path.split("/")[1:]:
            case "POST", ["guest-tokens"]:
                return httpx.Response(201, json={"customer_id": "c-1", "access_token": "t"})
            case "PUT", ["cart"]:
                meant = request.headers.get("If-Match", f'"{self.version}"')
                if meant != f'"{self.version}"' and not self.ignores_versions:
                    return STALE
                self.cart, self.version = json.loads(request.content)["lines"], self.version + 1
                return self._cart()
            case "GET", ["cart"]:
                return self._cart()
            case "POST", ["orders"]:
                self.orders.append(request)
                return httpx.Response(202, json=self._order(len(self.orders)))
            case "GET", ["orders", order_id]:
                return httpx.Response(200, json=self._order(int(order_id)))
        raise AssertionError(f"nobody asks {request.method} {request.url}")

    def _cart(self) -> httpx.Response:
        return httpx.Response(200, json={"lines": self.cart, "version": self.version})

    def _order(self, number: int) -> dict[str, object]:
        is_good = json.loads(self.orders[number - 1].content)["payment_method"] == GOOD_CARD
        return {
            "id": str(number),
            "status": "confirmed" if is_good else "cancelled",
            "cancel_reason": None if is_good else "payment_declined",
        }

    def visited_by(self, persona: Persona, card: str = GOOD_CARD) -> list[Checkout]:
        lines = tuple(JourneyLine(sku, quantity) for sku, quantity in LINES.items())
        basket = Basket("b-1", "h-1", datetime(2017, 5, 1, tzinfo=UTC), lines)
        http = httpx.Client(transport=httpx.MockTransport(self))
        ana = Shopper("ana", URLS, http, self.history, sleep=lambda _: None)
        return visit_shop(
            ana,
            Person("Ana", "ana@shoppers.example"),
            Visit(basket, persona, card, 0.0),
            Staff({}, http),
            sleep=lambda _: None,
        )

    def violations(self) -> list[str]:
        books = Books(operations=self.history.operations())
        return [violation.message for violation in read_your_writes.check(books)]


@pytest.fixture
def shop() -> Shop:
    return Shop()


def keys(shop: Shop) -> list[str]:
    return [request.headers["Idempotency-Key"] for request in shop.orders]


def lines_of(order: httpx.Request) -> dict[str, int]:
    return {line["sku"]: line["quantity"] for line in json.loads(order.content)["lines"]}


def test_who_buys_makes_one_checkout_of_theirs(shop: Shop) -> None:
    (checkout,) = shop.visited_by(Persona.GUEST)

    assert (checkout.outcome, checkout.order_id, checkout.lines) == ("confirmed", "1", LINES)
    assert checkout.customer_id == "c-1"
    assert [checkout.key] == keys(shop)


def test_the_impatient_order_the_same_basket_twice_with_two_keys(shop: Shop) -> None:
    first, second = shop.visited_by(Persona.IMPATIENT)

    assert (first.basket_id, first.lines) == (second.basket_id, second.lines)
    assert {first.order_id, second.order_id} == {"1", "2"}
    assert [first.key, second.key] == keys(shop)
    assert len(set(keys(shop))) == 2
    assert (first.outcome, second.outcome) == ("confirmed", "confirmed")


def test_a_second_card_is_brought_with_another_key_when_the_first_is_declined(shop: Shop) -> None:
    declined, paid = shop.visited_by(Persona.SECOND_CARD, "pm_declined")

    assert (declined.outcome, declined.reason) == ("cancelled", "payment_declined")
    assert (paid.outcome, paid.order_id) == ("confirmed", "2")
    assert [declined.key, paid.key] == keys(shop)
    assert len(set(keys(shop))) == 2


def test_an_abandoner_orders_nothing_and_leaves_the_basket_in_the_cart(shop: Shop) -> None:
    (checkout,) = shop.visited_by(Persona.ABANDONER)

    assert (checkout.outcome, checkout.order_id, shop.orders) == ("abandoned", None, [])
    assert {line["sku"]: line["quantity"] for line in shop.cart} == LINES


def test_who_does_not_know_whether_the_cart_was_filled_has_not_abandoned_it(shop: Shop) -> None:
    shop.loses = lambda request: request.method == "PUT"

    (checkout,) = shop.visited_by(Persona.ABANDONER)

    assert (checkout.outcome, checkout.reason) == ("unknown", "fill_cart was not answered")


def test_what_nobody_answered_is_told_with_the_order_it_may_be_of(shop: Shop) -> None:
    shop.loses = lambda request: request.method == "GET" and "/orders/" in request.url.path

    (checkout,) = shop.visited_by(Persona.GUEST)

    known = (checkout.outcome, checkout.order_id, checkout.reason)
    assert known == ("unknown", "1", "read_order was not answered")


def test_the_indecisive_are_refused_once_and_order_what_is_right(shop: Shop) -> None:
    (checkout,) = shop.visited_by(Persona.INDECISIVE)

    refused = [op for op in shop.history.operations("fill_cart") if op.outcome is Outcome.FAIL]
    assert [(op.status, op.if_match) for op in refused] == [(412, 0)]
    assert (checkout.outcome, lines_of(shop.orders[0])) == ("confirmed", LINES)
    assert shop.violations() == []


def test_an_outdated_window_that_is_let_through_is_noticed(shop: Shop) -> None:
    shop.ignores_versions = True

    shop.visited_by(Persona.INDECISIVE)

    (violation,) = shop.violations()
    assert violation.startswith("a cart was written over by a window that showed it as it had been")
    assert violation.endswith("as version 1 was known, found version 2, meant for version 0")


@pytest.mark.parametrize("lost", range(5))
def test_a_refusal_of_what_had_been_done_already_is_none(shop: Shop, lost: int) -> None:
    """The answer is lost, the same is sent again, and the cart has changed: by that itself."""
    puts: list[httpx.Request] = []

    def loses(request: httpx.Request) -> bool:
        if request.method == "PUT":
            puts.append(request)
        return request.method == "PUT" and len(puts) == lost

    shop.loses = loses

    (checkout,) = shop.visited_by(Persona.INDECISIVE)

    assert (checkout.outcome, lines_of(shop.orders[0])) == ("confirmed", LINES)
    assert shop.violations() == []
