"""The provider's face to the shop: what moves money. Parses, opens one transaction, delivers.

Whoever repeats a POST with the same Idempotency-Key gets the first answer, byte for byte.
"""

import hashlib
import socket
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import orjson
from flask import Blueprint, Response, request
from opentelemetry import trace

from simulators.payment_provider.http import requests
from simulators.payment_provider.http.bodies import (
    CaptureBody,
    CardBody,
    PaymentBody,
    RefundBody,
    VoidBody,
)
from simulators.payment_provider.http.problems import as_response
from simulators.payment_provider.rules import return_urls
from simulators.payment_provider.rules.answers import problem
from simulators.payment_provider.rules.payments import Charge
from simulators.payment_provider.storage import book, operations
from simulators.payment_provider.storage.book import Call
from simulators.payment_provider.storage.operations import Operation, Outcome

moves = Blueprint("moves", __name__, url_prefix="/v1")
moves.before_request(requests.authenticate)


@moves.post("/tokens")
def tokenize() -> Response:
    body = CardBody.model_validate_json(requests.json_body())
    number = body.card_number.get_secret_value()
    today = datetime.now(UTC)
    is_expired = (body.exp_year, body.exp_month) < (today.year, today.month)
    asked = requests.asked()
    # Not a hash of the number: sixteen digits are soon guessed. The last four must do.
    said = {"last4": number[-4:], "expires": [body.exp_year, body.exp_month]}
    return _post(
        requests.call("token.create"),
        said,
        lambda tx: operations.tokenize(tx, asked, number, is_expired=is_expired),
    )


@moves.post("/payments")
def authorize() -> Response:
    body = PaymentBody.model_validate_json(requests.json_body())
    charge = Charge(body.amount_minor, body.currency, body.payment_method, body.reference)
    if body.return_url is not None:
        return_urls.require_allowed(body.return_url, requests.provider().settings.allowed_origins)
    asked = requests.asked()
    call = replace(requests.call("payment.authorize"), **vars(charge))
    said = vars(charge) | ({"return_url": body.return_url} if body.return_url else {})
    return _post(call, said, lambda tx: operations.authorize(tx, asked, charge, body.return_url))


@moves.post("/payments/<payment_id>/capture")
def capture(payment_id: str) -> Response:
    amount_minor = CaptureBody.model_validate_json(requests.json_body()).amount_minor
    asked = requests.asked()
    call = replace(requests.call("payment.capture", payment_id), amount_minor=amount_minor)
    said = {"amount_minor": amount_minor}
    return _post(call, said, lambda tx: operations.capture(tx, asked, payment_id, amount_minor))


@moves.post("/payments/<payment_id>/void")
def void(payment_id: str) -> Response:
    if request.content_length:
        VoidBody.model_validate_json(requests.json_body())
    asked = requests.asked()
    call = requests.call("payment.void", payment_id)
    return _post(call, {}, lambda tx: operations.void(tx, asked, payment_id))


@moves.post("/payments/<payment_id>/refunds")
def refund(payment_id: str) -> Response:
    body = RefundBody.model_validate_json(requests.json_body())
    asked = requests.asked()
    call = replace(requests.call("payment.refund", payment_id), amount_minor=body.amount_minor)
    return _post(
        call,
        body.model_dump(),
        lambda tx: operations.refund(tx, asked, payment_id, body.amount_minor, body.reference),
    )


def _post(call: Call, said: Mapping[str, object], operation: Operation) -> Response:
    """Answer a POST once; the call, its effect and its answer are one transaction."""
    key = requests.idempotency_key(request.headers.get("Idempotency-Key", ""))
    request_in_full = orjson.dumps([call.name, call.payment_id, dict(said)])
    fingerprint = hashlib.sha256(request_in_full).hexdigest()
    with requests.provider().book.transaction() as tx:
        outcome = operations.once(tx, key, fingerprint, operation)
        payment_id = outcome.payment_id or call.payment_id
        book.add_call(
            tx,
            replace(
                call,
                status=outcome.answer.status,
                payment_id=payment_id,
                reference=call.reference or book.reference_of(tx, payment_id),
                idempotency_key=key,
                replayed=outcome.is_replayed,
            ),
        )
    requests.provider().wake()
    trace.get_current_span().set_attribute("payment.replayed", outcome.is_replayed)
    return _deliver(outcome)


def _deliver(outcome: Outcome) -> Response:
    """The recorded answer, late or lost when the payment method says so."""
    if outcome.behaviour.is_slow:
        requests.provider().stopping.wait(requests.provider().settings.slow_ms / 1000)
    if outcome.is_lost:
        return _lose()
    response = as_response(outcome.answer)
    if outcome.is_replayed:
        response.headers["Idempotent-Replayed"] = "true"  # Stripe's name for it.
    return response


def _lose() -> Response:
    """Hang up on the caller; where the server gives us no socket, a gateway's 504 must do."""
    wire = request.environ.get("gunicorn.socket")
    if wire is not None:
        wire.shutdown(socket.SHUT_RDWR)
    return as_response(problem(504, "Gateway timeout"))
