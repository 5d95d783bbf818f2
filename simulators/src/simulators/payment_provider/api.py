"""The provider's face to the shop: `/v1`. Parses, opens one transaction, delivers the answer.

Whoever repeats a POST with the same Idempotency-Key gets the first answer, byte for byte.
"""

import hashlib
import hmac
import re
import socket
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import orjson
from flask import Blueprint, Response, current_app, request
from opentelemetry import trace
from werkzeug.exceptions import UnsupportedMediaType

from simulators.payment_provider import book, operations
from simulators.payment_provider.answers import json_answer
from simulators.payment_provider.bodies import (
    REFERENCE_PATTERN,
    CaptureBody,
    CardBody,
    PaymentBody,
    VoidBody,
)
from simulators.payment_provider.book import Book, Call
from simulators.payment_provider.operations import Operation, Outcome
from simulators.payment_provider.payments import Charge
from simulators.payment_provider.problems import as_response, problem
from simulators.payment_provider.refusals import (
    IdempotencyKeyMissing,
    Malformed,
    Unauthorized,
)
from simulators.payment_provider.settings import Settings

v1 = Blueprint("v1", __name__, url_prefix="/v1")

IDEMPOTENCY_KEY = re.compile(r"[ -~]{1,255}")
TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

# A shop that pays one order a hundred times has a worse problem than a short list.
PAYMENTS_OF_REFERENCE_MAX = 100


@v1.before_request
def authenticate() -> None:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    expected = _settings().api_key.get_secret_value()
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), expected.encode()):
        raise Unauthorized


@v1.post("/tokens")
def tokenize() -> Response:
    body = CardBody.model_validate_json(_json_body())
    number = body.card_number.get_secret_value()
    today = datetime.now(UTC)
    is_expired = (body.exp_year, body.exp_month) < (today.year, today.month)
    # Not a hash of the number: sixteen digits are soon guessed. The last four must do.
    said = {"last4": number[-4:], "expires": [body.exp_year, body.exp_month]}
    return _post(
        _call("token.create"),
        said,
        lambda tx: operations.tokenize(tx, number, is_expired=is_expired),
    )


@v1.post("/payments")
def authorize() -> Response:
    body = PaymentBody.model_validate_json(_json_body())
    charge = Charge(**body.model_dump())
    call = replace(_call("payment.authorize"), **vars(charge))
    return _post(call, vars(charge), lambda tx: operations.authorize(tx, charge))


@v1.post("/payments/<payment_id>/capture")
def capture(payment_id: str) -> Response:
    amount_minor = CaptureBody.model_validate_json(_json_body()).amount_minor
    call = replace(_call("payment.capture", payment_id), amount_minor=amount_minor)
    said = {"amount_minor": amount_minor}
    return _post(call, said, lambda tx: operations.capture(tx, payment_id, amount_minor))


@v1.post("/payments/<payment_id>/void")
def void(payment_id: str) -> Response:
    if request.content_length:
        VoidBody.model_validate_json(_json_body())
    return _post(_call("payment.void", payment_id), {}, lambda tx: operations.void(tx, payment_id))


@v1.get("/payments/<payment_id>")
def read(payment_id: str) -> Response:
    with _book().transaction() as tx:
        payment = operations.find(tx, payment_id)
        call = replace(_call("payment.read", payment_id), reference=payment.charge.reference)
        book.add_call(tx, call)
    return as_response(json_answer(operations.representation(payment)))


@v1.get("/payments")
def find() -> Response:
    reference = request.args.get("reference", "")
    if re.fullmatch(REFERENCE_PATTERN, reference) is None:
        raise Malformed(parameter="reference")
    with _book().transaction() as tx:
        found = book.payments_of(tx, reference, limit=PAYMENTS_OF_REFERENCE_MAX)
        book.add_call(tx, replace(_call("payment.find"), reference=reference))
    return as_response(json_answer({"payments": [operations.representation(p) for p in found]}))


def _post(call: Call, said: Mapping[str, object], operation: Operation) -> Response:
    """Answer a POST once; the call, its effect and its answer are one transaction."""
    key = _idempotency_key()
    request_in_full = orjson.dumps([call.name, call.payment_id, dict(said)])
    fingerprint = hashlib.sha256(request_in_full).hexdigest()
    with _book().transaction() as tx:
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
    trace.get_current_span().set_attribute("payment.replayed", outcome.is_replayed)
    return _deliver(outcome)


def _deliver(outcome: Outcome) -> Response:
    """The recorded answer, late or lost when the payment method says so."""
    if outcome.behaviour.is_slow:
        current_app.extensions["stopping"].wait(_settings().slow_ms / 1000)
    if outcome.behaviour.loses_answer:
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


def _json_body() -> bytes:
    if not request.is_json:
        raise UnsupportedMediaType
    return request.get_data()


def _idempotency_key() -> str:
    """The key without quotes: the IETF draft sends it quoted, Stripe and Adyen bare."""
    given = request.headers.get("Idempotency-Key", "")
    key = given[1:-1] if len(given) > 1 and given[0] == given[-1] == '"' else given
    if IDEMPOTENCY_KEY.fullmatch(key) is None:
        raise IdempotencyKeyMissing
    return key


def _call(name: str, payment_id: str | None = None) -> Call:
    """What is known of a call before it is answered; most are answered 200."""
    traceparent = request.headers.get("traceparent", "")
    return Call(
        operations.now(),
        name,
        200,
        payment_id=payment_id,
        traceparent=traceparent if TRACEPARENT.fullmatch(traceparent) else None,
    )


def _book() -> Book:
    opened: Book = current_app.extensions["book"]
    return opened


def _settings() -> Settings:
    settings: Settings = current_app.extensions["settings"]
    return settings
