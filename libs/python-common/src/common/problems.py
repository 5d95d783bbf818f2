"""Every error response of every service: RFC 9457 problem details."""

import re
from http import HTTPStatus

import orjson
import structlog
from flask import Flask, Response
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from common import errors

STATUS: dict[type[errors.Refusal], int] = {
    errors.Malformed: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.PreconditionFailed: 412,
    errors.TooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.Invalid: 422,
    errors.PreconditionRequired: 428,
    errors.TooManyRequests: 429,
    errors.Unavailable: 503,
}

# Long enough for a restarted database or a drained pool, short enough that a shopper waits.
RETRY_AFTER_S = 1

# Whoever mends these may ask again; a body of a megabyte could have a hundred thousand, and the
# answer five times its size.
FAULTS_MAX = 100

log = structlog.get_logger()


def problem(status: int, title: str, type_: str = "about:blank", **members: object) -> Response:
    """A response in the form of RFC 9457 §3.1; *members* are its extension members."""
    body = {"type": type_, "title": title, "status": status, **members}
    response = Response(orjson.dumps(body), status, content_type="application/problem+json")
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        response.headers["Retry-After"] = str(members.get("retry_after_s", RETRY_AFTER_S))
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"  # RFC 6750 §3
    return response


def problem_type(refusal: type[errors.Refusal]) -> str:
    """OutOfStock -> /problems/out-of-stock, which leads to a page of the service."""
    return "/problems/" + re.sub(r"(?<!^)(?=[A-Z])", "-", refusal.__name__).lower()


def refused(error: errors.Refusal) -> Response:
    status = next(code for kind, code in STATUS.items() if isinstance(error, kind))
    members = error.members | ({"detail": error.detail} if error.detail else {})
    return problem(status, error.title, problem_type(type(error)), **members)


def malformed(error: ValidationError) -> Response:
    faults = [
        {"pointer": "/" + "/".join(map(str, fault["loc"])), "detail": fault["msg"]}
        for fault in error.errors(include_url=False, include_input=False, include_context=False)
    ][:FAULTS_MAX]
    return problem(400, "The request is malformed", "/problems/malformed", errors=faults)


def http_error(error: HTTPException) -> Response:
    response = problem(error.code or 500, error.name, detail=error.description or "")
    allowed = getattr(error, "valid_methods", None)
    if allowed:
        response.headers["Allow"] = ", ".join(allowed)  # RFC 9110 §15.5.6
    return response


def unavailable() -> Response:
    return problem(503, "Try again shortly", "/problems/unavailable")


def database_error(error: DBAPIError) -> Response:
    """A lost, slow or locked database is the caller's to retry; any other is our bug."""
    if isinstance(error, OperationalError) or error.connection_invalidated:
        log.warning("database_unavailable", error=type(error.orig).__name__)
        return unavailable()
    return bug(error)


def pool_exhausted(_: PoolTimeout) -> Response:
    log.warning("database_pool_exhausted")
    return unavailable()


def bug(error: Exception) -> Response:
    log.error("unhandled_exception", exc_info=error)
    return problem(500, "Internal server error")  # No detail: it may hold secrets.


def install(app: Flask) -> None:
    """Make *app* answer every error, its own bugs included, in this one format."""
    app.register_error_handler(errors.Refusal, refused)
    app.register_error_handler(ValidationError, malformed)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(DBAPIError, database_error)
    app.register_error_handler(PoolTimeout, pool_exhausted)
    app.register_error_handler(Exception, bug)
