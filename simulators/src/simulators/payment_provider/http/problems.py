"""Every error of the provider as RFC 9457 problem details."""

from flask import Flask, Response
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from simulators.payment_provider.rules import refusals
from simulators.payment_provider.rules.answers import Answer, problem, refused


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
