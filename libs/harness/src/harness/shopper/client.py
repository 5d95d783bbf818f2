"""A shopper's client of the shop: HTTP only, traced, every operation recorded.

Acceptance scenarios, the simulator and the load test all speak through it.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from harness.shopper.history import History, Operation, Outcome
from harness.shopper.retries import Answer, retry_after_s, until_answered

# A shopper gives up on a page after this long; whether it happened is then unknown.
REQUEST_TIMEOUT = httpx.Timeout(10.0, connect=2.0)
# A process that was killed is back within seconds. What found nobody at the door was never sent,
# so anything may be sent again: at once, then after 0.5, 1, 2 and 4 s (httpcore).
CONNECT_RETRIES = 5

# Operations that are answered with an order as it is now; placing one again is answered as before.
TELLING = frozenset({"read_order", "cancel_order"})

T = TypeVar("T")

_propagator = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("cartwright.shopper")


class ShopRefused(Exception):
    """The shop said no. Carries the problem details (RFC 9457)."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('title', '')} {problem.get('detail', '')}".strip())
        self.status = status
        self.problem = problem

    @property
    def type(self) -> str:
        """The last part of the problem's type, e.g. ``price-changed``."""
        return str(self.problem.get("type", "")).rpartition("/")[2]


class ShopDidNotAnswer(Exception):
    """No answer, or none that says yes or no. It may have happened.

    what: in words without values, such as ``place_order answered 503``.
    """

    def __init__(self, asked: str, status: int | None, url: str) -> None:
        self.what = f"{asked} answered {status}" if status else f"{asked} was not answered"
        super().__init__(f"{self.what}: {url}")


@dataclass(frozen=True, slots=True)
class Line:
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Urls:
    """Base URLs of the services a shopper meets. links: see `Endpoints.links`."""

    auth: str
    cart: str
    catalog: str
    order: str
    links: Mapping[str, str] = field(default_factory=dict)

    def followed(self, link: str) -> str:
        """Where *link* leads from here."""
        near = (h + link[len(t) :] for t, h in self.links.items() if link.startswith(f"{t}/"))
        return next(near, link)


def new_http_client(connections: int = 100) -> httpx.Client:
    """One pool for all shoppers of a process."""
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    transport = httpx.HTTPTransport(retries=CONNECT_RETRIES, limits=limits)
    return httpx.Client(timeout=REQUEST_TIMEOUT, transport=transport)


class Shopper:
    """One person with a browser: a token, a cart, and what they remember of their orders.

    http: shared between shoppers. history: where every operation is recorded.
    sleep: for tests, another. What is not answered is sent again with the same key; every method
    raises ShopRefused for a no, and ShopDidNotAnswer for what stays unknown.
    """

    def __init__(
        self,
        name: str,
        urls: Urls,
        http: httpx.Client,
        history: History,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self.id = ""
        self.access_token = ""
        self.refresh_token = ""
        self._urls = urls
        self._http = http
        self.history = history
        self._headers: dict[str, str] = {}
        self._sleep = sleep

    @contextmanager
    def checkout(self, **attributes: str) -> Iterator[str]:
        """One checkout is one trace: yields its id; every call inside belongs to it."""
        with _tracer.start_as_current_span("checkout", attributes=attributes) as span:
            yield format(span.get_span_context().trace_id, "032x")

    def in_this_trace(self, act: Callable[[], T]) -> Callable[[], T]:
        """*act*, for another thread, but still part of the checkout that is current here."""
        context = otel_context.get_current()

        def traced() -> T:
            token = otel_context.attach(context)
            try:
                return act()
            finally:
                otel_context.detach(token)

        return traced

    def enter_as_guest(self) -> None:
        body = self._call("enter", "POST", f"{self._urls.auth}/guest-tokens", json={})
        self._remember(body)

    def register(self, email: str, password: str) -> None:
        person = {"email": email, "password": password, "name": self.name}
        self._call("register", "POST", f"{self._urls.auth}/register", json=person)

    def log_in(self, email: str, password: str) -> None:
        credentials = {"email": email, "password": password}
        body = self._call("log_in", "POST", f"{self._urls.auth}/login", json=credentials)
        self._remember(body)

    def fill_cart(self, lines: Sequence[Line], *, version: int | None = None) -> dict[str, Any]:
        """Returns the cart. version: of the cart that is meant; None means any."""
        body = {"lines": [{"sku": line.sku, "quantity": line.quantity} for line in lines]}
        url = f"{self._urls.cart}/cart"
        return self._call("fill_cart", "PUT", url, json=body, if_match=version)

    def cart(self) -> dict[str, Any]:
        return self._call("read_cart", "GET", f"{self._urls.cart}/cart")

    def product(self, sku: str) -> dict[str, Any]:
        return self._call("read_product", "GET", f"{self._urls.catalog}/products/{sku}")

    def place_order(
        self,
        lines: Sequence[Line],
        *,
        email: str,
        payment_method: str,
        key: str | None = None,
        expected_total_minor: int | None = None,
    ) -> dict[str, Any]:
        """Place it once, however often it has to be sent: the same key every time."""
        body: dict[str, Any] = {
            "email": email,
            "payment_method": payment_method,
            "lines": [{"sku": line.sku, "quantity": line.quantity} for line in lines],
        }
        if expected_total_minor is not None:
            body["expected_total_minor"] = expected_total_minor
        key = key or str(uuid.uuid4())
        return self._call("place_order", "POST", f"{self._urls.order}/orders", json=body, key=key)

    def order(self, order_id: str) -> dict[str, Any]:
        url = f"{self._urls.order}/orders/{order_id}"
        return self._call("read_order", "GET", url, order_id=order_id)

    def cancel(self, order_id: str) -> dict[str, Any]:
        url = f"{self._urls.order}/orders/{order_id}/cancellation"
        return self._call("cancel_order", "POST", url, order_id=order_id)

    def take_back(
        self, order_id: str, lines: Sequence[Line], *, reason: str, key: str | None = None
    ) -> dict[str, Any]:
        """Ask the shop to take goods of a confirmed order back; returns the return."""
        body = {
            "lines": [{"sku": line.sku, "quantity": line.quantity} for line in lines],
            "reason": reason,
        }
        url = f"{self._urls.order}/orders/{order_id}/returns"
        key = key or str(uuid.uuid4())
        return self._call("return_goods", "POST", url, json=body, key=key)

    def returns(self, order_id: str) -> list[dict[str, Any]]:
        url = f"{self._urls.order}/orders/{order_id}/returns"
        answer = self._call("read_returns", "GET", url)
        found: list[dict[str, Any]] = answer["items"]
        return found

    def answer_challenge(self, url: str, *, approve: bool) -> None:
        """Press a button on the bank's 3-D Secure page. Raises ShopDidNotAnswer."""
        url, outcome = self._urls.followed(url), "approve" if approve else "fail"
        with _tracer.start_as_current_span("answer_challenge", kind=SpanKind.CLIENT):
            page = self._http.post(url, data={"outcome": outcome}, follow_redirects=False)
        if page.status_code >= httpx.codes.BAD_REQUEST:
            raise ShopDidNotAnswer("the bank's page", page.status_code, url)

    def refresh(self) -> dict[str, Any]:
        """Trade the refresh token for new tokens; keeps the new ones."""
        body = {"refresh_token": self.refresh_token}
        tokens = self._call("refresh", "POST", f"{self._urls.auth}/token/refresh", json=body)
        self._remember(tokens)
        return tokens

    def log_out(self) -> None:
        self._call("log_out", "POST", f"{self._urls.auth}/logout")

    def me(self) -> dict[str, Any]:
        return self._call("read_me", "GET", f"{self._urls.auth}/me")

    def _remember(self, tokens: dict[str, Any]) -> None:
        self.id = tokens["customer_id"]
        self.access_token = str(tokens["access_token"])
        self.refresh_token = str(tokens.get("refresh_token", ""))
        self._headers = {"Authorization": f"Bearer {self.access_token}"}

    def _call(
        self,
        kind: str,
        method: str,
        url: str,
        *,
        json: Any = None,
        key: str | None = None,
        order_id: str | None = None,
        if_match: int | None = None,
    ) -> dict[str, Any]:
        headers = dict(self._headers)
        if if_match is not None:
            headers["If-Match"] = f'"{if_match}"'
        if key:
            headers["Idempotency-Key"] = key
        started_at = time.time()
        answer = until_answered(lambda: self._send(kind, method, url, headers, json), self._sleep)
        status, body, outcome = answer.status, answer.body, answer.outcome
        told = kind in TELLING and outcome is Outcome.OK
        self.history.record(
            Operation(
                kind=kind,
                shopper=self.name,
                outcome=outcome,
                started_at=started_at,
                finished_at=time.time(),
                status=status,
                trace_id=_current_trace_id(),
                order_id=order_id or body.get("id"),
                key=key,
                detail=str(body.get("type", "")) if outcome is not Outcome.OK else "",
                order_status=body.get("status") if told else None,
                customer_id=self.id,
                if_match=if_match,
                version=body.get("version") if outcome is Outcome.OK else None,
            )
        )
        if outcome is Outcome.FAIL and status is not None:
            raise ShopRefused(status, body)
        if outcome is Outcome.UNKNOWN:
            raise ShopDidNotAnswer(kind, status, url)
        return body

    def _send(self, kind: str, method: str, url: str, headers: dict[str, str], json: Any) -> Answer:
        with _tracer.start_as_current_span(kind, kind=SpanKind.CLIENT) as span:
            traced = dict(headers)
            _propagator.inject(traced)
            try:
                response = self._http.request(method, url, headers=traced, json=json)
            except httpx.TransportError as error:
                span.set_status(StatusCode.ERROR, type(error).__name__)
                return Answer(None, {})
            return Answer(response.status_code, _body(response, span), retry_after_s(response))


def _body(response: httpx.Response, span: Span) -> dict[str, Any]:
    span.set_attribute("http.response.status_code", response.status_code)
    if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        span.set_status(StatusCode.ERROR)
    body = response.json() if response.content else {}
    return body if isinstance(body, dict) else {"items": body}


def _current_trace_id() -> str | None:
    context = trace.get_current_span().get_span_context()
    return format(context.trace_id, "032x") if context.is_valid else None
