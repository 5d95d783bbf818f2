"""What a shopper makes of every kind of answer: ok, fail or unknown, and what is sent again."""

from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest
from harness.shopper.client import Line, ShopDidNotAnswer, Shopper, ShopRefused, Urls
from harness.shopper.history import History, Outcome
from harness.shopper.retries import ATTEMPTS_MAX

URLS = Urls("http://auth", "http://cart", "http://catalog", "http://order")
PLACED = {"id": "o-1", "status": "pending"}
IN_FLIGHT = {"type": "/problems/request-in-flight", "title": "in flight", "status": 409}
CHANGED = {"type": "/problems/price-changed", "title": "changed", "status": 409}


class Shop:
    """Answers from a list, the last one for ever; keeps the requests."""

    def __init__(self, *answers: Callable[[], httpx.Response]) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer()


def says(status: int, body: object) -> Callable[[], httpx.Response]:
    return lambda: httpx.Response(status, json=body)


def silence() -> httpx.Response:
    raise httpx.ReadTimeout("the answer was lost")


def asks_for_patience(seconds: str) -> Callable[[], httpx.Response]:
    return lambda: httpx.Response(429, json={}, headers={"Retry-After": seconds})


def shopper(shop: Shop, history: History, waited: list[float]) -> Shopper:
    http = httpx.Client(transport=httpx.MockTransport(shop))
    return Shopper("ana", URLS, http, history, sleep=waited.append)


def place(shop: Shop, waited: list[float] | None = None) -> tuple[object, History]:
    history = History()
    ana = shopper(shop, history, [] if waited is None else waited)
    try:
        return ana.place_order([Line("MUG-1", 2)], email="a@b.c", payment_method="pm"), history
    except (ShopRefused, ShopDidNotAnswer) as error:
        return error, history


def test_an_accepted_order_is_ok() -> None:
    answer, history = place(Shop(says(202, PLACED)))

    (operation,) = history.operations("place_order")
    assert answer == PLACED
    assert (operation.outcome, operation.order_id) == (Outcome.OK, "o-1")


def test_a_refusal_definitely_did_not_happen() -> None:
    answer, history = place(Shop(says(409, CHANGED)))

    (operation,) = history.operations()
    assert isinstance(answer, ShopRefused)
    assert answer.type == "price-changed"
    assert (operation.outcome, operation.status) == (Outcome.FAIL, 409)


@pytest.mark.parametrize(
    "last",
    [silence, says(500, {}), says(503, {}), says(409, IN_FLIGHT)],
    ids=["silence", "500", "503", "in flight"],
)
def test_no_answer_may_have_happened(last: Callable[[], httpx.Response]) -> None:
    shop = Shop(last)

    answer, history = place(shop)

    assert isinstance(answer, ShopDidNotAnswer)
    assert history.operations()[0].outcome is Outcome.UNKNOWN
    assert len(shop.requests) == ATTEMPTS_MAX


@pytest.mark.parametrize(
    "first", [silence, says(503, {}), says(409, IN_FLIGHT)], ids=["silence", "503", "in flight"]
)
def test_what_is_not_answered_is_sent_again_with_the_same_key(
    first: Callable[[], httpx.Response],
) -> None:
    shop = Shop(first, says(202, PLACED))

    answer, history = place(shop)

    keys = {request.headers["Idempotency-Key"] for request in shop.requests}
    assert answer == PLACED
    assert (len(shop.requests), len(keys)) == (2, 1)
    assert len(history.operations()) == 1


def test_a_refused_version_is_certain_only_if_it_was_asked_for_once() -> None:
    stale = says(412, {"type": "/problems/version-mismatch"})
    history = History()
    for shop in (Shop(stale), Shop(silence, stale)):
        with pytest.raises((ShopRefused, ShopDidNotAnswer)):
            shopper(shop, history, []).fill_cart([Line("MUG-1", 1)], version=7)
        assert {request.headers["If-Match"] for request in shop.requests} == {'"7"'}

    once, again = history.operations()
    assert (once.outcome, once.if_match, once.version) == (Outcome.FAIL, 7, None)
    assert again.outcome is Outcome.UNKNOWN


def test_a_shop_that_asks_for_patience_gets_it() -> None:
    waited: list[float] = []

    answer, _ = place(Shop(asks_for_patience("3"), says(202, PLACED)), waited)

    assert answer == PLACED
    assert waited == [3.0]


@pytest.mark.parametrize("asked", ["6", "60", "Sun, 29 Nov 2026 12:00:00 GMT"])
def test_nobody_waits_for_ever(asked: str) -> None:
    waited: list[float] = []
    shop = Shop(asks_for_patience(asked))

    answer, history = place(shop, waited)

    assert isinstance(answer, ShopRefused)
    assert history.operations()[0].outcome is Outcome.FAIL
    assert (len(shop.requests), waited) == (1, [])


@pytest.mark.parametrize(
    "act",
    [
        Shopper.enter_as_guest,
        lambda ana: ana.fill_cart([Line("MUG-1", 2)]),
        lambda ana: ana.log_in("a@b.c", "correct horse"),
        lambda ana: ana.cancel("o-1"),
        Shopper.cart,
    ],
    ids=["enter", "fill the cart", "log in", "cancel", "look at the cart"],
)
def test_whatever_is_not_answered_is_asked_again(act: Callable[[Shopper], object]) -> None:
    history, welcome = History(), {"customer_id": "ana", "access_token": "token"}
    shop = Shop(says(503, {}), silence, says(200, welcome))

    act(shopper(shop, history, []))

    assert len(shop.requests) == 3
    assert [operation.outcome for operation in history.operations()] == [Outcome.OK]


def test_the_banks_page_is_opened_where_the_provider_is_from_here() -> None:
    shop = Shop(says(200, {}))
    links = {"http://127.0.0.1:8090": "http://payment-provider:8090"}
    http = httpx.Client(transport=httpx.MockTransport(shop))
    ana = Shopper("ana", replace(URLS, links=links), http, History())

    ana.answer_challenge("http://127.0.0.1:8090/challenges/c-1", approve=True)
    ana.answer_challenge("http://127.0.0.1:8091/challenges/c-1", approve=True)

    assert [str(request.url) for request in shop.requests] == [
        "http://payment-provider:8090/challenges/c-1",
        "http://127.0.0.1:8091/challenges/c-1",
    ]
