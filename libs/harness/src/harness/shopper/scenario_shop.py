"""Sets up what a scenario needs and looks at what the outside world can see.

Every scenario brings its own SKUs and shoppers, so that scenarios never meet.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

from harness import stack
from harness.eventually import eventually
from harness.identity.tokens import staff_token
from harness.process.endpoints import Endpoints
from harness.shopper.client import Shopper, Urls, new_http_client
from harness.shopper.history import History
from harness.shopper.staff import Staff
from harness.shopper.visitor import Visitor
from harness.traces.reader import TraceReader

# From placed to the last message of a checkout; far above what it takes, for a busy machine.
SETTLED_WITHIN_S = 30.0
ANSWERED_WITHIN_S = 10.0


@dataclass
class ScenarioShop:
    """A running shop, seen as staff, as shoppers, and from outside."""

    endpoints: Endpoints
    history: History = field(default_factory=History)

    def __post_init__(self) -> None:
        self._http = new_http_client()
        services = self.endpoints.services
        self.staff = Staff(services, self._http, lambda: staff_token(self.endpoints.jwt_secret))
        self.traces = TraceReader(self.endpoints.trace_query_url)
        self.consumers = stack.topology().consumers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        self.traces.close()

    def sell(self, name: str, price_minor: int, on_hand: int) -> str:
        """Put a product of its own on the shelf; return its SKU, e.g. ``MUG-3F2A91C4``."""
        sku = f"{name.upper().replace(' ', '-')}-{uuid.uuid4().hex[:8].upper()}"
        product = {
            "sku": sku, "name": name, "department": "Scenario", "category": "Scenario",
            "price_minor": price_minor, "currency": "USD",
        }  # fmt: skip
        self._as_staff("catalog", "/product-imports", {"products": [product]})
        if on_hand:
            lines = [{"sku": sku, "quantity": on_hand}]
            self._as_staff("inventory", "/stock/receipts", {"lines": lines, "note": "scenario"})
        return sku

    def shopper(self, name: str) -> Shopper:
        """A guest who has just come in."""
        services = self.endpoints.services
        met = {name: services[name] for name in ("auth", "cart", "catalog", "order")}
        urls = Urls(**met, links=self.endpoints.links)
        shopper = Shopper(name, urls, self._http, self.history)
        shopper.enter_as_guest()
        return shopper

    def visitor(self, shopper: Shopper) -> Visitor:
        """The same person, looking around; whoever they are signed in as."""
        return self._visitor(lambda: shopper.access_token)

    def with_token(self, token: str) -> Visitor:
        """Whoever holds *token*; nobody in particular without one."""
        return self._visitor(lambda: token)

    def _visitor(self, token: Callable[[], str]) -> Visitor:
        return Visitor(self.endpoints.services, self._http, token, self.history)

    def stock(self, sku: str) -> Mapping[str, int]:
        """``on_hand``, ``reserved`` and ``available`` of *sku*, as the inventory says."""
        return self._read(f"{self.endpoints.services['inventory']}/stock/{sku}")

    def settled(self, shopper: Shopper, order_id: str) -> Mapping[str, Any]:
        """The order, once it is final and stock and payment have answered."""

        def look() -> Mapping[str, Any] | None:
            order = shopper.order(order_id)
            return order if order["settled"] else None

        order = eventually(look, SETTLED_WITHIN_S, f"order {order_id} settled")
        assert order is not None
        return order

    def mails(self, order_id: str) -> Sequence[Mapping[str, Any]]:
        """The mails about an order, as they lie in the mailbox, oldest first."""
        return self._mails({"order_id": order_id})

    def mails_to(self, address: str) -> Sequence[Mapping[str, Any]]:
        """The mails to *address*, as they lie in the mailbox, oldest first."""
        return self._mails({"to": address})

    def _mails(self, narrowed_by: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        url = f"{self.endpoints.mailbox_url}/messages"
        mails: list[Mapping[str, Any]] = self._read(url, params=narrowed_by)["messages"]
        return mails

    def mail(self, id: str) -> Mapping[str, Any]:
        """One mail with its words: ``text``, ``html``, ``headers``."""
        return self._read(f"{self.endpoints.mailbox_url}/messages/{id}")

    def payments(self, order_id: str) -> Sequence[Mapping[str, Any]]:
        """The payments for an order, as the payment provider's own book has them."""
        url = f"{self.endpoints.payment_provider_url}/v1/payments"
        key = {"Authorization": f"Bearer {self.endpoints.payment_provider_api_key}"}
        book = self._read(url, params={"reference": order_id}, headers=key)
        payments: list[Mapping[str, Any]] = book["payments"]
        return payments

    def _read(self, url: str, **request: Any) -> Mapping[str, Any]:
        """What *url* says; asked again while whoever serves it is away, or has lost a database."""

        def look() -> Mapping[str, Any] | None:
            try:
                answer = self._http.get(url, **request)
            except httpx.TransportError:
                return None
            if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                return None
            found: dict[str, Any] = answer.raise_for_status().json()
            return found

        found = eventually(look, ANSWERED_WITHIN_S, f"an answer from {url}")
        assert found is not None
        return found

    def take_in(self, order_id: str, return_id: str) -> None:
        """Staff have the goods of a return in their hands, all of them."""
        self._as_staff("order", f"/orders/{order_id}/returns/{return_id}/receipt", {})

    def _as_staff(self, service: str, path: str, body: Mapping[str, Any]) -> None:
        token = staff_token(self.endpoints.jwt_secret)
        url = f"{self.endpoints.services[service]}{path}"
        headers = {"Authorization": f"Bearer {token}"}
        self._http.post(url, json=body, headers=headers).raise_for_status()
