"""What a bot tries, and what it says came of it."""

import json
from collections import Counter
from random import Random
from uuid import UUID

import httpx
import pytest
from harness.shopper.client import Shopper, Urls
from harness.shopper.history import ATTEMPT, History, Operation, Outcome
from simulators.checkout.bot import ATTEMPTS, attack

SERVICES = {
    name: f"http://{name}.test"
    for name in ("auth", "cart", "catalog", "inventory", "notification", "order", "payment")
}
URLS = Urls(**{name: SERVICES[name] for name in ("auth", "cart", "catalog", "order")})
TOKEN = "head.body.signature"
BOUGHT = Operation("place_order", "ana", Outcome.OK, 1.0, 1.1, 202, order_id="o-1", customer_id="c")


def attacked(status: int | None, *known: Operation) -> tuple[list[httpx.Request], History]:
    """What a shop is asked that always answers so, or never, and what the bot tells of it."""
    asked: list[httpx.Request] = []

    def heard(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if status is None:
            raise httpx.ReadTimeout("late")
        return httpx.Response(status, json={})

    history = History()
    for operation in known:
        history.record(operation)
    with httpx.Client(transport=httpx.MockTransport(heard)) as http:
        bot = Shopper("bot", URLS, http, history)
        bot.id, bot.access_token = "c-bot", TOKEN
        attack(bot, SERVICES, http, "MUG-1", Random(1))  # noqa: S311  Guards nothing.
    return asked, history


def test_it_goes_after_what_another_has_just_bought() -> None:
    own = Operation("place_order", "bot", Outcome.OK, 2.0, 2.1, order_id="o-2", customer_id="c-bot")

    asked, _ = attacked(404, BOUGHT, own)

    assert len(asked) == len(ATTEMPTS)
    assert {"/orders/o-1", "/orders/o-1/cancellation", "/payments/o-1/refunds"} <= {
        request.url.path for request in asked
    }
    bodies = [json.loads(request.content) for request in asked if request.url.path == "/orders"]
    assert {line["sku"] for body in bodies for line in body["lines"]} == {"MUG-1"}
    assert not any(b"{" + name in r.content for r in asked for name in (b"order", b"sku"))


def test_where_nobody_has_bought_it_guesses() -> None:
    asked, _ = attacked(404)

    [read] = [
        r
        for r in asked
        if r.method == "GET" and r.url.path.startswith("/orders/") and r.url.host == "order.test"
    ]
    assert UUID(read.url.path.removeprefix("/orders/"))


def test_it_shows_its_own_token_none_and_two_that_it_made() -> None:
    asked, _ = attacked(401)

    shown = Counter(request.headers.get("Authorization") for request in asked)
    assert shown.pop(f"Bearer {TOKEN}") == len(ATTEMPTS) - 3
    assert shown.pop(None) == 1
    forged, unsigned = sorted(shown, key=lambda bearer: not str(bearer).startswith("Bearer head"))
    assert forged == "Bearer head.body.Aignature"
    assert str(unsigned).endswith(".body.")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.OK),
        (302, Outcome.OK),
        (400, Outcome.FAIL),
        (404, Outcome.FAIL),
        (429, Outcome.UNKNOWN),
        (None, Outcome.UNKNOWN),
        (503, Outcome.UNKNOWN),
    ],
)
def test_only_a_no_is_a_refusal(status: int | None, outcome: Outcome) -> None:
    _, history = attacked(status)

    assert {operation.outcome for operation in history.operations(ATTEMPT)} == {outcome}
    assert {operation.detail for operation in history.operations()} == {a.what for a in ATTEMPTS}
