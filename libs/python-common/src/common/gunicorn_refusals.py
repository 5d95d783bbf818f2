"""What is answered to a request that never reaches the application: problem details, as it does."""

from http import HTTPStatus
from typing import Final

import structlog
from flask import Response
from gunicorn.http.errors import (  # type: ignore[import-untyped]
    ExpectationFailed,
    InvalidHTTPVersion,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from werkzeug.http import http_date

from common import problems
from common.app import SECURITY_HEADERS
from common.gunicorn_arrival import BodyTooLarge


class Overloaded(Exception):
    """More wait than can be answered in time."""


class NotArrived(Exception):
    """The rest of a request did not come in time (RFC 9110 §15.5.9)."""


_STATUS: Final = {
    NotArrived: HTTPStatus.REQUEST_TIMEOUT,
    BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
    InvalidHTTPVersion: HTTPStatus.HTTP_VERSION_NOT_SUPPORTED,
}

log = structlog.get_logger()


def refuse(error: Exception, peer: str) -> bytes:
    """The whole answer to *error*, which also ends the connection. Logs it."""
    response = _problem(error)
    if response.status_code != HTTPStatus.INTERNAL_SERVER_ERROR:  # A bug has been logged.
        # Without its words: they quote what was sent.
        error_name = type(error).__name__
        log.warning("request_refused", status=response.status_code, error=error_name, peer=peer)
    response.headers.update({**SECURITY_HEADERS, "Connection": "close", "Date": http_date()})
    head = [f"HTTP/1.1 {response.status}", *(f"{k}: {v}" for k, v in response.headers.items())]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + response.get_data()


def _problem(error: Exception) -> Response:
    status = _STATUS.get(type(error))
    if status is not None:
        return problems.problem(status, status.phrase)
    if isinstance(error, Overloaded):
        return problems.unavailable()
    # What an application of ours wanted to send is no fault of the client.
    ours = isinstance(error, InvalidResponseHeader | InvalidResponseHeaderName)
    if isinstance(error, ParseException) and not ours:
        faults = [{"pointer": "/", "detail": "it is not HTTP as we take it"}]
        return problems.problem(
            400, "The request is malformed", "/problems/malformed", errors=faults
        )
    return problems.bug(error)
