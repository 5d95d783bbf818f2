import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from payment.clients import (
    CONNECT_TIMEOUT_S,
    CONNECTIONS,
    READ_TIMEOUT_S,
    WRITE_TIMEOUT_S,
    OutcomeUnknown,
    PaymentProvider,
    RefusedByProvider,
)
from payment.domain import Fact, Operation, OperationKind, Payment, PaymentStatus
from payment.use_cases import LEASE_S
from payment.worker import HANDS

PAYMENT = Payment("payment-1", "order-1", 1999, "USD", "pm_ok", PaymentStatus.INITIATED)
HELD = replace(PAYMENT, status=PaymentStatus.AUTHORIZED, provider_payment_id="pay_1")
AUTHORIZE = Operation("operation-1", PAYMENT, OperationKind.AUTHORIZE, 1, None)
CAPTURE = Operation("operation-2", HELD, OperationKind.CAPTURE, 1, None)
VOID = Operation("operation-3", HELD, OperationKind.VOID, 1, None)
AUTHORIZED = httpx.Response(200, json={"id": "pay_1", "status": "authorized"})


def _perform(operation: Operation, answer: Callable[[httpx.Request], httpx.Response]) -> Fact:
    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        return PaymentProvider("https://provider.example", "secret-1", http).perform(operation)


def _answered(operation: Operation, response: httpx.Response) -> Fact:
    return _perform(operation, lambda _: response)


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
    ],
)
def test_the_provider_is_asked_with_the_operations_id_as_key(
    operation: Operation, path: str, body: dict[str, Any]
) -> None:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return AUTHORIZED

    _perform(operation, answer)

    (request,) = requests
    assert request.method == "POST"
    assert str(request.url) == f"https://provider.example{path}"
    assert json.loads(request.content) == body
    assert request.headers["Idempotency-Key"] == operation.id
    assert request.headers["Authorization"] == "Bearer secret-1"
    assert request.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("status", ["authorized", "captured", "voided"])
def test_the_answer_is_a_fact(status: str) -> None:
    answer = {"id": "pay_1", "status": status, "authorized_minor": 1999}

    fact = _answered(AUTHORIZE, httpx.Response(200, json=answer))

    assert fact == Fact("pay_1", PaymentStatus(status), None)


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


@pytest.mark.parametrize("operation", [CAPTURE, VOID])
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
    assert 2 * CONNECT_TIMEOUT_S + WRITE_TIMEOUT_S + READ_TIMEOUT_S < LEASE_S
