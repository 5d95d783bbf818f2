"""What belongs to one customer of a running shop, made as they and the staff would make it."""

import re
import uuid
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import httpx
import orjson
import psycopg2
from harness.eventually import eventually
from harness.proof.motion import Stirring
from harness.shopper.client import Line, Shopper
from harness.shopper.scenario_shop import ScenarioShop
from security.cast import Cast

APPROVED = "pm_ok"
# The bank asks and is never answered: the order stays pending.
UNANSWERED = "pm_3ds_ignored"
# Three at this price cost what no other order of these tests costs, so that a leak is told by it.
PRICE_MINOR = 7_919
PIECES = 3
# Staff and others buy and count what is not the owner's.
PLENTY = 10_000
WITHIN_S = 30.0
STREAM = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Answer:
    """content: of a stream that does not end, its beginning."""

    status: int
    headers: httpx.Headers
    content: bytes

    @property
    def granted(self) -> bool:
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        return self.content.decode(errors="replace")

    def json(self) -> Any:
        """Raises AssertionError, with what was said, unless it was granted."""
        assert self.granted, f"{self.status}: {self.text}"
        return orjson.loads(self.content)


@dataclass(frozen=True, slots=True)
class Belongings:
    """By the names that paths have for them. id: of a mail, where no recipe says otherwise."""

    order_id: str
    return_id: str
    session_id: str
    sku: str
    import_id: str
    id: str

    def of(self, parameter: str) -> str:
        """What stands in a path for ``{parameter}``."""
        found = str(getattr(self, parameter, ""))
        assert found, f"{{{parameter}}}: nobody has one yet; give the operation a recipe for it"
        return found

    def fill(self, path: str) -> str:
        """*path* with all its parameters in their places."""
        return re.sub(r"{([^}]+)}", lambda found: self.of(found.group(1)), path)


class Scene:
    """A customer with a paid order, a return, a second log-in and a cart; and a shelf for others.

    `belongings` stay as they are; what is cancelled, refunded or ended is made for the occasion.
    """

    def __init__(self, shop: ScenarioShop, cast: Cast, http: httpx.Client) -> None:
        self.shop, self.cast, self.http = shop, cast, http
        self.sku = shop.sell("kept", PRICE_MINOR, PLENTY)
        self.spare = shop.sell("spare", PRICE_MINOR, PLENTY)
        self.shelf = shop.sell("shelf", 500, PLENTY)
        order = self._paid(self.sku)
        cast.owner_shopper.fill_cart([Line(self.sku, 2)])
        self.total_minor = order["total_minor"]
        self.belongings = Belongings(
            order_id=order["id"],
            return_id=self.wish_return(order["id"], self.sku),
            session_id=self.another_session(),
            sku=self.sku,
            import_id=self.import_one(),
            id=self.mail(order["id"]),
        )

    @property
    def shopper(self) -> Shopper:
        return self.cast.owner_shopper

    def paid_order(self) -> str:
        """One of spare pieces, paid for."""
        return str(self._paid(self.spare)["id"])

    def pending_order(self) -> str:
        """One that waits for the customer's bank; both who hear of that have heard it."""
        order_id: str = self._order(self.spare, UNANSWERED)["id"]
        eventually(
            lambda: self.shopper.order(order_id)["next_action"], WITHIN_S, "the bank's question"
        )
        self.mail(order_id)
        return order_id

    def wish_return(self, order_id: str, sku: str) -> str:
        """The id of a return of one piece."""
        lines = [Line(sku, 1)]
        return str(self.shopper.take_back(order_id, lines, reason="unwanted")["id"])

    def another_session(self) -> str:
        """The id of the owner's log-in on a device of its own."""
        token = self.cast.log_in_again().access_token
        answer = self.ask("auth", "GET", "/sessions", token)
        return next(s["session_id"] for s in answer.json()["sessions"] if s["current"])

    def import_one(self) -> str:
        """The id of a bulk import by staff, which is over."""
        row = f"sku,name,department,category,price_minor\nCSV-{uuid.uuid4().hex[:8]},Mug,A,B,100\n"
        headers = {"Content-Type": "text/csv", "Idempotency-Key": str(uuid.uuid4())}
        token = self.cast.staff.access_token
        answer = self.ask(
            "catalog", "POST", "/product-imports", token, headers=headers, content=row
        )
        path = f"/product-imports/{answer.json()['id']}"
        eventually(
            lambda: self.ask("catalog", "GET", path, token).json()["state"] == "done",
            WITHIN_S,
            "the import",
        )
        return str(answer.json()["id"])

    def mail(self, order_id: str) -> str:
        """The id of the order's mail, once it is sent."""
        path, staff = f"/orders/{order_id}/messages", self.cast.staff.access_token

        def sent() -> str:
            found = self.ask("notification", "GET", path, staff).json()["messages"]
            return str(found[0]["id"]) if found and found[0]["state"] == "sent" else ""

        return eventually(sent, WITHIN_S, "the order's mail")

    def suppression(self) -> str:
        """The id of an address that refused its mail for good, as the worker writes it down."""
        made = str(uuid.uuid4())
        connection = psycopg2.connect(self.shop.endpoints.postgres_dsn)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO notification.suppressions"
                    " (id, address, error, message_id, created_at)"
                    " VALUES (%s, %s, '550 no such user', %s, now())",
                    (made, f"gone-{made}@shoppers.example", self.belongings.id),
                )
        finally:
            connection.close()
        return made

    def scarce_product(self) -> str:
        """The SKU of one of which the catalog has heard how few there are."""
        sku = self.shop.sell("scarce", PRICE_MINOR, 1)

        def is_scarce() -> bool:
            product = self.ask("catalog", "GET", f"/products/{sku}", None).json()
            return bool(product["availability"] == "LimitedAvailability")

        eventually(is_scarce, WITHIN_S, "the catalog's news of the stock")
        return sku

    def etag(self, sku: str) -> str:
        return self.ask("catalog", "GET", f"/products/{sku}", None).headers["ETag"]

    def guest_token(self) -> str:
        """Of a guest with something in the cart."""
        guest = self.shop.shopper("guest")
        guest.fill_cart([Line(self.shelf, 1)])
        return guest.access_token

    def having(self, **belongings: str) -> Belongings:
        return replace(self.belongings, **belongings)

    def ask(
        self, service: str, method: str, path: str, token: str | None, **request: Any
    ) -> Answer:
        """request: as httpx takes it; a header Authorization of its own goes before *token*."""
        headers = dict(request.pop("headers", {}))
        if token is not None:
            headers.setdefault("Authorization", f"Bearer {token}")
        url = self.shop.endpoints.services[service] + path
        with self.http.stream(method, url, headers=headers, **request) as response:
            endless = response.headers.get("Content-Type", "").startswith(STREAM)
            content = next(response.iter_bytes(), b"") if endless else response.read()
        return Answer(response.status_code, response.headers, content)

    def read(self, belongings: Belongings) -> dict[str, bytes]:
        """Everything that is the owner's, byte by byte, as the owner and the staff see it."""
        owner, staff = self.cast.owner.access_token, self.cast.staff.access_token
        order, sku = f"/orders/{belongings.order_id}", belongings.sku
        seen = {
            ("order", order): owner,
            ("order", f"{order}/returns"): owner,
            ("payment", f"/payments/{belongings.order_id}"): owner,
            ("auth", "/sessions"): owner,
            ("auth", "/me"): owner,
            ("cart", "/cart"): owner,
            ("catalog", f"/products/{sku}"): None,
            ("catalog", f"/product-imports/{belongings.import_id}"): staff,
            ("inventory", f"/stock/{sku}/movements"): staff,
            ("inventory", f"/reservations/{belongings.order_id}"): staff,
            ("notification", f"{order}/messages"): staff,
        }
        return {
            f"{service} {path}": orjson.dumps(self.ask(service, "GET", path, token).json())
            for (service, path), token in seen.items()
        }

    def _paid(self, sku: str) -> Mapping[str, Any]:
        """Settled, and everybody has heard of it: mail, cart and shelf change no more by it."""
        with self.shopper.checkout() as trace_id:
            order_id: str = self._order(sku, APPROVED)["id"]
        with closing(Stirring(self.shop.endpoints)) as stirring:
            eventually(lambda: not stirring(trace_id), WITHIN_S, "an order at rest")
        return self.shopper.order(order_id)

    def _order(self, sku: str, payment_method: str) -> dict[str, Any]:
        return self.shopper.place_order(
            [Line(sku, PIECES)], email=self.cast.owner.email, payment_method=payment_method
        )
