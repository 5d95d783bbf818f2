import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from common import calls
from common.testing.deadlines import Clock, Drip
from payment.clients import (
    CALL_S_MAX,
    CONNECT_TIMEOUT_S,
    CONNECTIONS,
    READ_TIMEOUT_S,
    WRITE_TIMEOUT_S,
    OutcomeUnknown,
    PaymentProvider,
    RefusedByProvider,
)
from payment.clients.answers import Reader
from payment.domain import (
    Action,
    Fact,
    Operation,
    OperationKind,
    Payment,
    PaymentStatus,
    Refund,
    RefundFact,
)
from payment.use_cases.operations import LEASE_S
from payment.worker import HANDS

PAYMENT = Payment("payment-1", "order-1", 1999, "USD", "pm_ok", PaymentStatus.INITIATED)
HELD = replace(PAYMENT, status=PaymentStatus.AUTHORIZED, provider_payment_id="pay_1")
AUTHORIZE = Operation("operation-1", PAYMENT, OperationKind.AUTHORIZE, 1, None)
CAPTURE = Operation("operation-2", HELD, OperationKind.CAPTURE, 1, None)
VOID = Operation("operation-3", HELD, OperationKind.VOID, 1, None)
REFUND = Operation(
    "operation-4",
    HELD,
    OperationKind.REFUND,
    1,
    None,
    Refund("refund-1", "payment-1", 500, "returned", "return-1"),
)
AUTHORIZED = httpx.Response(200, json={"id": "pay_1", "status": "authorized"})
CAPTURED = {"id": "pay_1", "status": "captured"}
NOT_MADE = {"id": "re_1", "amount_minor": 500, "reference": "return-1"}


def _perform(operation: Operation, answer: Callable[[httpx.Request], httpx.Response]) -> Fact:
    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        return PaymentProvider("https://provider.example", "secret-1", http).perform(operation)


def _answered(operation: Operation, response: httpx.Response) -> Fact:
    return _perform(operation, lambda _: response)


def _challenged(url: str) -> httpx.Response:
    action = {"type": "redirect", "url": url, "expires_at": "2026-01-01T00:00:00Z"}
    challenged = {"id": "pay_1", "status": "requires_action", "next_action": action}
    return httpx.Response(200, json=challenged)


def _problem(status: int, name: str, **members: Any) -> httpx.Response:
    problem = {"type": f"urn:payment-provider:problem:{name}", "status": status, **members}
    return httpx.Response(status, json=problem)


@pytest.mark.parametrize(
    ("operation", "path", "body"),
    [
        (
            AUTHORIZE,
            "/v1/payments",
            {
                "amount_minor": 1999,
                "currency": "USD",
                "payment_method": "pm_ok",
                "reference": "order-1",
            },
        ),
        (CAPTURE, "/v1/payments/pay_1/capture", {"amount_minor": 1999}),
        (VOID, "/v1/payments/pay_1/void", {}),
        (
            REFUND,
            "/v1/payments/pay_1/refunds",
            {"amount_minor": 500, "reference": "return-1"},
        ),
    ],
)
def test_the_provider_is_asked_with_the_operations_id_as_key(
    operation: Operation, path: str, body: dict[str, Any]
) -> None:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return AUTHORIZED

    with suppress(OutcomeUnknown):  # One answer for all: it is the question that counts here.
        _perform(operation, answer)

    (request,) = requests
    assert request.method == "POST"
    assert str(request.url) == f"https://provider.example{path}"
    assert json.loads(request.content) == body
    assert request.headers["Idempotency-Key"] == operation.id
    assert request.headers["Authorization"] == "Bearer secret-1"
    assert request.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "status", ["authorized", "captured", "voided", "partially_refunded", "refunded"]
)
def test_the_answer_is_a_fact(status: str) -> None:
    answer = {"id": "pay_1", "status": status, "authorized_minor": 1999, "refunded_minor": 5}

    fact = _answered(AUTHORIZE, httpx.Response(200, json=answer))

    assert fact == Fact("pay_1", PaymentStatus(status), None, refunded_minor=5)


def test_a_refund_says_which_one_it_is() -> None:
    payment = {"id": "pay_1", "status": "partially_refunded", "refunded_minor": 500}
    answer = {"id": "re_1", "amount_minor": 500, "reference": "return-1", "payment": payment}

    fact = _answered(REFUND, httpx.Response(200, json=answer))

    assert fact.refund == RefundFact("re_1", 500, "return-1")
    assert (fact.status, fact.refunded_minor) == (PaymentStatus.PARTIALLY_REFUNDED, 500)


@pytest.mark.parametrize("status", ["pending", "failed"])
def test_of_a_refund_that_is_not_made_the_outcome_is_unknown(status: str) -> None:
    with pytest.raises(OutcomeUnknown, match="not made"):
        _answered(
            REFUND, httpx.Response(200, json=NOT_MADE | {"status": status, "payment": CAPTURED})
        )


@pytest.mark.parametrize("status", ["pending", "failed"])
def test_a_webhook_does_not_tell_of_a_refund_that_is_not_made(status: str) -> None:
    told = {"data": {"payment": CAPTURED, "refund": NOT_MADE | {"status": status}}}

    fact = Reader({"provider.example"}, is_secure=True).webhook(json.dumps(told))

    assert fact == Fact("pay_1", PaymentStatus.CAPTURED)


def test_an_action_has_an_address_at_the_provider_and_an_end() -> None:
    fact = _answered(AUTHORIZE, _challenged("https://provider.example/3ds/pay_1?key=x"))

    assert fact.status is PaymentStatus.ACTION_REQUIRED
    assert fact.action == Action(
        "https://provider.example/3ds/pay_1?key=x", datetime(2026, 1, 1, tzinfo=UTC)
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/3ds",
        "http://provider.example/3ds",
        "https://provider.example@evil.example/3ds",
        "https://evil.example\\@provider.example/",
        "https://provider.example.evil.example/",
        "javascript:alert(1)",
        "//provider.example/3ds",
        "ftp://provider.example/3ds",
        "https://provider.example/3ds\nLocation: https://evil.example",
        "https://[provider.example/3ds",
        "https://provider.example/" + "x" * 2_000,
        "",
    ],
)
def test_a_shopper_is_sent_nowhere_but_to_the_provider(url: str) -> None:
    with pytest.raises(OutcomeUnknown):
        _answered(AUTHORIZE, _challenged(url))


def test_another_host_of_the_providers_can_be_named() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return _challenged("https://bank.example/3ds")

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        provider = PaymentProvider(
            "https://provider.example", "secret-1", http, action_hosts=["bank.example"]
        )
        fact = provider.perform(AUTHORIZE)

    assert fact.action
    assert fact.action.url == "https://bank.example/3ds"


def test_the_shopper_comes_back_to_their_order() -> None:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return AUTHORIZED

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        PaymentProvider(
            "https://provider.example",
            "secret-1",
            http,
            return_url="https://shop.example/orders/{order_id}",
        ).perform(AUTHORIZE)

    assert json.loads(requests[0].content)["return_url"] == "https://shop.example/orders/order-1"


def test_no_answer_leads_elsewhere() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.host == "provider.example"
        return httpx.Response(307, headers={"Location": "https://evil.example/"})

    with pytest.raises(OutcomeUnknown, match="307"):
        _perform(AUTHORIZE, answer)


def test_a_decline_says_why() -> None:
    answer = {"id": "pay_1", "status": "declined", "decline_code": "insufficient_funds"}

    fact = _answered(AUTHORIZE, httpx.Response(200, json=answer))

    assert fact == Fact("pay_1", PaymentStatus.DECLINED, "insufficient_funds")


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectTimeout,
        httpx.ReadTimeout,
        httpx.PoolTimeout,
        httpx.ConnectError,
        httpx.RemoteProtocolError,
        httpx.DecodingError,
    ],
)
def test_without_an_answer_the_outcome_is_unknown(error: type[httpx.RequestError]) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        raise error("no")

    with pytest.raises(OutcomeUnknown, match=error.__name__):
        _perform(AUTHORIZE, answer)


@pytest.mark.parametrize("each_s", [0.5, 4.0])
def test_after_an_answer_that_drips_the_outcome_is_unknown(
    monkeypatch: pytest.MonkeyPatch, each_s: float
) -> None:
    clock = Clock(monkeypatch)
    began_s = clock.now_s

    with pytest.raises(OutcomeUnknown, match="ReadTimeout"):
        _answered(AUTHORIZE, httpx.Response(200, stream=Drip(clock, each_s)))

    assert clock.now_s - began_s <= CALL_S_MAX


def test_after_an_answer_without_end_the_outcome_is_unknown() -> None:
    with pytest.raises(OutcomeUnknown, match="AnswerTooLong"):
        _answered(AUTHORIZE, httpx.Response(200, content=b" " * (calls.BYTES_MAX + 1)))


@pytest.mark.parametrize("status", [302, 408, 429, 500, 502, 503, 504])
def test_after_an_answer_that_asks_for_patience_the_outcome_is_unknown(status: int) -> None:
    with pytest.raises(OutcomeUnknown, match=str(status)):
        _answered(AUTHORIZE, httpx.Response(status))


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, text="<html>Welcome to the gateway</html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"status": "authorized"}),
        httpx.Response(200, json={"id": "pay_1", "status": "requires_action"}),
        httpx.Response(200, json={"id": "../pay_2", "status": "authorized"}),
        httpx.Response(200, json={"id": "pay_1\x00", "status": "authorized"}),
        httpx.Response(200, json={"id": "pay_1", "status": "declined", "decline_code": "\x00"}),
    ],
)
def test_what_cannot_be_read_says_neither_yes_nor_no(response: httpx.Response) -> None:
    with pytest.raises(OutcomeUnknown):
        _answered(AUTHORIZE, response)


@pytest.mark.parametrize(
    ("response", "decline_code"),
    [
        (
            _problem(400, "unknown-payment-method", code="resource_missing"),
            "unknown_payment_method",
        ),
        (httpx.Response(400, json={"code": "resource_missing"}), "unknown_payment_method"),
        (
            _problem(400, "malformed", errors=[{"pointer": "/payment_method"}]),
            "unknown_payment_method",
        ),
        (_problem(422, "amount-out-of-range", maximum_minor=1), "amount_out_of_range"),
        (_problem(422, "unsupported-currency", currency="XTS"), "unsupported_currency"),
    ],
)
def test_a_wish_that_the_provider_cannot_grant_is_a_decline_without_a_payment(
    response: httpx.Response, decline_code: str
) -> None:
    assert _answered(AUTHORIZE, response) == Fact(None, PaymentStatus.DECLINED, decline_code)


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(400, text="<html>Bad Request</html>"),
        httpx.Response(403, json=["no"]),
        _problem(401, "unauthorized"),
        _problem(422, "idempotency-key-reused"),
        _problem(400, "malformed", errors=[{"pointer": "/reference"}]),
        httpx.Response(400, json={"type": "\x00"}),
    ],
)
def test_a_question_that_is_itself_wrong_is_no_decline(response: httpx.Response) -> None:
    with pytest.raises(RefusedByProvider, match=str(response.status_code)) as refused:
        _answered(AUTHORIZE, response)

    assert "\x00" not in str(refused.value)


@pytest.mark.parametrize("operation", [CAPTURE, VOID, REFUND])
def test_only_an_authorization_can_be_declined(operation: Operation) -> None:
    with pytest.raises(RefusedByProvider, match="400"):
        _answered(operation, _problem(400, "unknown-payment-method", code="resource_missing"))


def test_the_key_to_the_provider_is_in_no_error() -> None:
    with pytest.raises(RefusedByProvider) as refused:
        _answered(AUTHORIZE, _problem(401, "unauthorized"))

    assert "secret-1" not in str(refused.value)


def test_a_call_ends_before_somebody_else_makes_it() -> None:
    """Waiting for a connection to the provider is bounded as connecting is."""
    assert HANDS <= CONNECTIONS
    assert 2 * CONNECT_TIMEOUT_S + WRITE_TIMEOUT_S + READ_TIMEOUT_S <= CALL_S_MAX < LEASE_S
