"""What a person does in the shop beside buying: look around, mind a cart, watch an order."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import httpx

from harness.shopper.caller import Answer, Caller
from harness.shopper.client import Line
from harness.shopper.history import History, Operation, Outcome

# A stream says something at least every fifteen seconds; a busy machine may be late.
STREAM_SILENT_MAX_S = 30.0
# As many products as the catalog shows on one page.
PAGE_SIZE_MAX = 100
PAGES_MAX = 50


class Visitor(Caller):
    """One person. Each method asks one thing; see `Answer`."""

    def __init__(
        self,
        services: Mapping[str, str],
        http: httpx.Client,
        token: Callable[[], str],
        history: History,
    ) -> None:
        super().__init__(services, http, token)
        self._history = history

    def search(self, words: str, **narrowed: Any) -> Answer:
        """narrowed: as the catalog's contract names it, e.g. ``price_to_minor``."""
        query = {"q": words, "limit": PAGE_SIZE_MAX} | narrowed
        return self.ask("GET", "catalog", "/products", query=query)

    def pages(self, **narrowed: Any) -> Iterator[Sequence[Mapping[str, Any]]]:
        """The products of one page after the other. Raises AssertionError after PAGES_MAX."""
        cursor: Mapping[str, str] = {}
        for _ in range(PAGES_MAX):
            page = self.search("", **narrowed, **cursor).expect()
            yield page["items"]
            if page["next_cursor"] is None:
                return
            cursor = {"cursor": page["next_cursor"]}
        raise AssertionError(f"more than {PAGES_MAX} pages of {narrowed}")

    def product(self, sku: str) -> Answer:
        return self.ask("GET", "catalog", f"/products/{sku}")

    def variants(self, sku: str) -> Answer:
        return self.ask("GET", "catalog", f"/products/{sku}/variants")

    def past_prices(self, sku: str) -> Answer:
        return self.ask("GET", "catalog", f"/products/{sku}/prices")

    def cart(self) -> Answer:
        return self.ask("GET", "cart", "/cart")

    def set_line(self, sku: str, quantity: int, *, etag: str = "") -> Answer:
        path = f"/cart/lines/{sku}"
        return self.ask("PUT", "cart", path, json={"quantity": quantity}, etag=etag)

    def add(self, sku: str, quantity: int, *, key: str = "") -> Answer:
        """quantity: negative takes some out again."""
        return self.ask("PATCH", "cart", f"/cart/lines/{sku}", json={"add": quantity}, key=key)

    def take_out(self, sku: str) -> Answer:
        return self.ask("DELETE", "cart", f"/cart/lines/{sku}")

    def merge(self, guest_token: str) -> Answer:
        """What this customer had in the cart before signing in comes along."""
        return self.ask("POST", "cart", "/cart/merge", json={"guest_token": guest_token})

    def quote(self) -> Answer:
        """The cart at today's prices."""
        return self.ask("GET", "cart", "/cart/quote")

    def accept_prices(self, prices: Mapping[str, int]) -> Answer:
        """prices: SKU -> what was shown, in minor units."""
        shown = [{"sku": sku, "unit_price_minor": price} for sku, price in prices.items()]
        return self.ask("PUT", "cart", "/cart/accepted-prices", json={"prices": shown})

    def order_quote(self, lines: Sequence[Line]) -> Answer:
        """What an order of *lines* would cost."""
        wanted = [{"sku": line.sku, "quantity": line.quantity} for line in lines]
        return self.ask("POST", "order", "/order-quotes", json={"lines": wanted})

    def try_to_order(
        self, lines: Sequence[Line], *, card: str, key: str, expected_total_minor: int | None = None
    ) -> Answer:
        """Ask once, without insisting. expected_total_minor: what the shopper saw."""
        wanted = [{"sku": line.sku, "quantity": line.quantity} for line in lines]
        body: dict[str, Any] = {
            "lines": wanted, "email": "tries@shoppers.example", "payment_method": card,
        }  # fmt: skip
        if expected_total_minor is not None:
            body["expected_total_minor"] = expected_total_minor
        began = time.time()
        answer = self.ask("POST", "order", "/orders", json=body, key=key)
        self._history.record(
            Operation(
                "place_order",
                "visitor",
                Outcome.FAIL if answer.refusal else Outcome.OK,
                began,
                time.time(),
                answer.status,
                order_id=answer.body.get("id"),
                key=key,
                detail=answer.refusal,
            )
        )
        return answer

    def order(self, order_id: str) -> Answer:
        return self.ask("GET", "order", f"/orders/{order_id}")

    def orders(self, **narrowed: Any) -> Answer:
        return self.ask("GET", "order", "/orders", query=narrowed)

    def cancel(self, order_id: str) -> Answer:
        return self.ask("POST", "order", f"/orders/{order_id}/cancellation")

    def watch(self, order_id: str, seen: str = "") -> list[tuple[str, Mapping[str, Any]]]:
        """(id, content) of each event until the shop has no more to say.

        seen: the id of the last event that is known already. Raises httpx's errors.
        """
        headers = self.headers() | ({"Last-Event-ID": seen} if seen else {})
        url = f"{self.services['order']}/orders/{order_id}/events"
        with self.http.stream("GET", url, headers=headers, timeout=STREAM_SILENT_MAX_S) as stream:
            return list(_events(stream.raise_for_status().iter_lines()))

    def preferences(self) -> Answer:
        return self.ask("GET", "notification", "/preferences")

    def prefer(self, *, language: str = "en", requested_cancellations: bool = True) -> Answer:
        choice = {
            "language": language,
            "mails": {"requested_cancellations": requested_cancellations},
        }
        etag = self.preferences().etag
        return self.ask("PUT", "notification", "/preferences", json=choice, etag=etag)

    def mails_about(self, order_id: str) -> Answer:
        return self.ask("GET", "notification", f"/orders/{order_id}/messages")

    def sessions(self) -> Answer:
        return self.ask("GET", "auth", "/sessions")

    def end_session(self, session_id: str) -> Answer:
        return self.ask("DELETE", "auth", f"/sessions/{session_id}")

    def change_password(self, current: str, new: str) -> Answer:
        body = {"current_password": current, "new_password": new}
        return self.ask("PUT", "auth", "/me/password", json=body)

    def register(self, email: str, password: str) -> Answer:
        body = {"email": email, "password": password, "name": "Somebody"}
        return self.ask("POST", "auth", "/register", json=body)

    def log_in(self, email: str, password: str) -> Answer:
        body = {"email": email, "password": password}
        return self.ask("POST", "auth", "/login", json=body)


def _events(lines: Iterator[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Server-sent events (WHATWG HTML, 9.2.6), as far as the shop makes use of them."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if line:
            fields[name] = value.removeprefix(" ")
            continue
        if "data" in fields:
            yield fields.get("id", ""), json.loads(fields["data"])
        fields = {}
