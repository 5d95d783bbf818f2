"""What every face of the provider reads from a request and from the application around it."""

import hmac
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask, current_app, request
from opentelemetry import trace
from werkzeug.exceptions import UnsupportedMediaType

from simulators.payment_provider import clock
from simulators.payment_provider.rules.refusals import (
    IdempotencyKeyMissing,
    Malformed,
    Unauthorized,
)
from simulators.payment_provider.settings import Settings
from simulators.payment_provider.storage.book import Book, Call
from simulators.payment_provider.storage.facts import Asked

IDEMPOTENCY_KEY = re.compile(r"[ -~]{1,255}")
TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
NAME = "provider"


@dataclass(frozen=True)
class Provider:
    """What the application serves from; `wake` tells the sender that webhooks were written."""

    settings: Settings
    book: Book
    stopping: threading.Event
    wake: Callable[[], None]


def install(app: Flask, provider: Provider) -> None:
    app.extensions[NAME] = provider


def provider() -> Provider:
    found: Provider = current_app.extensions[NAME]
    return found


def authenticate() -> None:
    """Raises Unauthorized."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    expected = provider().settings.api_key.get_secret_value()
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), expected.encode()):
        raise Unauthorized


def asked() -> Asked:
    settings = provider().settings
    base_url = settings.public_url or request.host_url
    return Asked(settings, clock.now_ms(), _cause(), base_url.rstrip("/"))


def call(name: str, payment_id: str | None = None) -> Call:
    """What is known of a call before it is answered; most are answered 200."""
    at = clock.rfc3339(clock.now_ms())
    return Call(at, name, 200, payment_id=payment_id, traceparent=_callers_traceparent())


def json_body() -> bytes:
    if not request.is_json:
        raise UnsupportedMediaType
    return request.get_data()


def idempotency_key(given: str) -> str:
    """The key without quotes: the IETF draft sends it quoted, Stripe and Adyen bare."""
    key = given[1:-1] if len(given) > 1 and given[0] == given[-1] == '"' else given
    if IDEMPOTENCY_KEY.fullmatch(key) is None:
        raise IdempotencyKeyMissing
    return key


def number(name: str, default: int) -> int:
    """A whole number of the query. Raises Malformed."""
    given = request.args.get(name, str(default))
    if not (given.isascii() and given.isdigit() and len(given) <= 18):  # fits SQLite's integer
        raise Malformed(parameter=name)
    return int(given)


def limit(*, default: int, largest: int) -> int:
    """Raises Malformed."""
    chosen = number("limit", default)
    if not 1 <= chosen <= largest:
        raise Malformed(parameter="limit", minimum=1, maximum=largest)
    return chosen


def _callers_traceparent() -> str | None:
    given = request.headers.get("traceparent", "")
    return given if TRACEPARENT.fullmatch(given) else None


def _cause() -> str | None:
    """Our own span if one is made of this request, else the caller's."""
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return _callers_traceparent()
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"
