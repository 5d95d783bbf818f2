"""Every error of the provider as RFC 9457 problem details."""

import re

import orjson
from flask import Flask, Response
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from simulators.payment_provider import refusals
from simulators.payment_provider.answers import Answer

# Stripe answers an unknown payment method with 400 resource_missing; so do we.
STATUS_BY_REFUSAL: dict[type[refusals.Refusal], int] = {
    refusals.Malformed: 400,
    refusals.IdempotencyKeyMissing: 400,
    refusals.UnknownPaymentMethod: 400,
    refusals.Unauthorized: 401,
    refusals.PaymentNotFound: 404,
    refusals.OperationNotFound: 404,
    refusals.WebhookNotFound: 404,
    refusals.HoldNotFound: 404,
    refusals.ChallengeNotFound: 404,
    refusals.IllegalTransition: 409,
    refusals.ChallengeClosed: 409,
    refusals.ChallengeExpired: 410,
    refusals.WebhooksNotConfigured: 409,
    refusals.AmountOutOfRange: 422,
    refusals.AmountTooLarge: 422,
    refusals.RefundTooLarge: 422,
    refusals.ReturnUrlNotAllowed: 422,
    refusals.UnsupportedCurrency: 422,
    refusals.NotATestCard: 422,
    refusals.IdempotencyKeyReused: 422,
    refusals.BankUnreachable: 503,
}

TYPE_PREFIX = "urn:payment-provider:problem:"


def problem(status: int, title: str, name: str = "", **members: object) -> Answer:
    """A problem of type `urn:payment-provider:problem:<name>`, or about:blank without a name."""
    type_ = TYPE_PREFIX + name if name else "about:blank"
    body = {"type": type_, "title": title, "status": status, **members}
    return Answer(status, orjson.dumps(body), "application/problem+json")


def refused(refusal: refusals.Refusal) -> Answer:
    kind = type(refusal)
    return problem(STATUS_BY_REFUSAL[kind], refusal.title, name_of(kind), **refusal.members)


def name_of(kind: type[refusals.Refusal]) -> str:
    """PaymentNotFound -> payment-not-found, documented in docs/simulators.md."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower()


def as_response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, content_type=answer.content_type)


def install(app: Flask) -> None:
    """Make `app` answer every error, its own bugs included, in this one format."""

    @app.errorhandler(refusals.Refusal)
    def on_refusal(refusal: refusals.Refusal) -> Response:
        response = as_response(refused(refusal))
        if response.status_code == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response

    @app.errorhandler(ValidationError)
    def on_malformed(error: ValidationError) -> Response:
        # Only where and why: the offending input may be a card number.
        errors = [
            {"pointer": "".join(f"/{step}" for step in fault["loc"]), "detail": fault["msg"]}
            for fault in error.errors(include_input=False, include_url=False)
        ]
        return as_response(refused(refusals.Malformed(errors=errors)))

    @app.errorhandler(HTTPException)
    def on_http_error(error: HTTPException) -> Response:
        response = as_response(problem(error.code or 500, error.name))
        response.headers.extend(
            (name, value) for name, value in error.get_headers() if name == "Allow"
        )
        return response

    @app.errorhandler(Exception)
    def on_bug(error: Exception) -> Response:
        app.logger.error("request_failed", exc_info=error)
        # No detail: it may be secret.
        return as_response(problem(500, "Internal server error"))
