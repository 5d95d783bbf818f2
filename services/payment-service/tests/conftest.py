import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from common.auth import Role
from common.db import Database
from common.events import Event
from common.ids import new_id
from common.testing import JWT_SECRET, Outcome, bearer, deliver, fixtures, promised, published
from flask import Flask
from flask.testing import FlaskClient
from payment.app import create_app
from payment.clients import PaymentProvider
from payment.domain import Operation, Payment
from payment.settings import Settings
from payment.store.tables import ledger_entries
from payment.use_cases import operations, payments, reconciliation, webhooks
from payment.use_cases.payments import PaymentView
from payment.worker import HANDLERS, Operations
from pydantic import SecretStr
from sqlalchemy import text

PROVIDER_URL = "https://provider.example"
DECLINES = {"pm_declined": "generic_decline"}
# As in test_webhooks.py.
WEBHOOK_SECRETS = ("the newer secret of the webhooks", "the older secret of the webhooks")
# Of the fake's lists: so few that two pages are soon needed.
PAGE_SIZE = 2


class FakeProvider:
    """The provider's API over dicts: a repeated key gets its first answer again.

    calls: (path, key, body) of each POST, as they came. reads: path and query of each GET.
    book: its payments, by their ids. before, after: what it does instead of answering the next
    POSTs, before or after it acts. on_call: called while a POST is on its way.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.reads: list[str] = []
        self.book: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, list[dict[str, Any]]] = {}
        self.before: list[Callable[[], httpx.Response]] = []
        self.after: list[Callable[[], httpx.Response]] = []
        self.on_call: Callable[[], object] = lambda: None
        self.on_read: Callable[[], httpx.Response | None] = lambda: None
        self.action_url = f"{PROVIDER_URL}/3ds/pay_1?key=secret"
        self._kept: dict[str, httpx.Response] = {}
        self._lock = threading.Lock()
        self._ticks = 0
        self.page_size = PAGE_SIZE

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            with self._lock:
                self.reads.append(request.url.raw_path.decode())
                return self.on_read() or self._read(request.url)
        self.on_call()
        key = request.headers["Idempotency-Key"]
        body = json.loads(request.content)
        with self._lock:
            self.calls.append((request.url.path, key, body))
            if self.before:
                return self.before.pop(0)()
            if key not in self._kept:
                self._kept[key] = self._act(request.url.path, body)
            return self.after.pop(0)() if self.after else self._kept[key]

    @property
    def statuses(self) -> dict[str, str]:
        return {id_: payment["status"] for id_, payment in self.book.items()}

    @property
    def keys(self) -> list[str]:
        return [key for _, key, _ in self.calls]

    @property
    def paths(self) -> list[str]:
        """With `{id}` for whichever payment."""
        shown = []
        for path, _, _ in self.calls:
            steps = path.split("/")
            shown.append("/".join("{id}" if step in self.book else step for step in steps))
        return shown

    def add(self, order_id: str, status: str, **changes: Any) -> dict[str, Any]:
        """A payment as it is shown, put into the book by nobody's call."""
        id_ = f"pay_{len(self.book) + 1}"
        money = {"captured": 1999, "partially_refunded": 1999, "refunded": 1999}
        payment = {
            "id": id_,
            "status": status,
            "reference": order_id,
            "amount_minor": 1999,
            "currency": "USD",
            "captured_minor": money.get(status, 0),
            "refunded_minor": 0,
        }
        self.book[id_] = payment | changes
        return self._touch(id_)

    def change(self, id_: str, **changes: Any) -> dict[str, Any]:
        """Something happens to a payment that nobody here asked for."""
        self.book[id_] |= changes
        self.book[id_].pop("next_action", None)
        return self._touch(id_)

    def give_back(self, id_: str, amount_minor: int, reference: str | None = None) -> None:
        made: dict[str, Any] = {
            "id": f"re_{sum(map(len, self.refunds.values())) + 1}",
            "payment_id": id_,
        }
        made |= {"amount_minor": amount_minor, "status": "succeeded"}
        self.refunds.setdefault(id_, []).append(
            made | ({"reference": reference} if reference else {})
        )
        refunded = self.book[id_]["refunded_minor"] + amount_minor
        whole = refunded == self.book[id_]["captured_minor"]
        self.change(
            id_,
            refunded_minor=refunded,
            status="refunded" if whole else "partially_refunded",
        )

    def _touch(self, id_: str) -> dict[str, Any]:
        self._ticks += 1
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self._ticks)
        self.book[id_]["updated_at"] = moment.isoformat()
        return dict(self.book[id_])

    def _act(self, path: str, body: dict[str, Any]) -> httpx.Response:
        _, _, _, *steps = path.split("/")
        if not steps:
            return self._authorize(body)
        id_, verb = steps
        status = self.book[id_]["status"]
        conflict = httpx.Response(409, json={"type": "urn:x:illegal-transition"})
        if verb == "refunds":
            left = self.book[id_]["captured_minor"] - self.book[id_]["refunded_minor"]
            if body["amount_minor"] > left:
                return conflict
            self.give_back(id_, body["amount_minor"], body.get("reference"))
            refund = self.refunds[id_][-1] | {"payment": dict(self.book[id_])}
            return httpx.Response(200, json=refund)
        if verb == "capture" and status == "authorized":
            changed = self.change(id_, status="captured", captured_minor=body["amount_minor"])
        elif verb == "void" and status in {"authorized", "requires_action"}:
            changed = self.change(id_, status="voided")
        else:
            return conflict
        return httpx.Response(200, json=changed)

    def _authorize(self, body: dict[str, Any]) -> httpx.Response:
        method = body["payment_method"]
        if method == "pm_unknown":
            problem = {"type": "urn:x:unknown-payment-method", "code": "resource_missing"}
            return httpx.Response(400, json=problem)
        asked = {name: body[name] for name in ("amount_minor", "currency")}
        if method in DECLINES:
            asked |= {"decline_code": DECLINES[method]}
            return httpx.Response(200, json=self.add(body["reference"], "declined", **asked))
        if method == "pm_3ds_required":
            asked["next_action"] = {
                "type": "redirect", "url": self.action_url, "expires_at": "2026-01-01T00:15:00Z",
            }  # fmt: skip
            return httpx.Response(200, json=self.add(body["reference"], "requires_action", **asked))
        return httpx.Response(200, json=self.add(body["reference"], "authorized", **asked))

    def _read(self, url: httpx.URL) -> httpx.Response:
        _, _, kind, *steps = url.path.split("/")
        if kind == "operations":
            kept = self._kept.get(steps[0])
            if kept is None:
                return httpx.Response(404, json={"type": "urn:x:operation-not-found"})
            stored = {"status_code": kept.status_code, "body": kept.json()}
            return httpx.Response(200, json={"idempotency_key": steps[0], **stored})
        if steps and steps[0] not in self.book:
            return httpx.Response(404, json={"type": "urn:x:payment-not-found"})
        if steps[1:] == ["refunds"]:
            return httpx.Response(200, json={"refunds": self.refunds.get(steps[0], [])})
        if steps:
            return httpx.Response(200, json=self.book[steps[0]])
        return self._list(url)

    def _list(self, url: httpx.URL) -> httpx.Response:
        def place(payment: dict[str, Any]) -> tuple[datetime, str]:
            return datetime.fromisoformat(payment["updated_at"]), payment["id"]

        payments = sorted(self.book.values(), key=place)
        if "reference" in url.params:
            found = [p for p in payments if p["reference"] == url.params["reference"]]
            return httpx.Response(200, json={"payments": found})
        since = datetime.fromisoformat(url.params["updated_since"])
        at, _, id_ = url.params.get("cursor", since.isoformat()).partition("/")
        after = max((since, ""), (datetime.fromisoformat(at), id_))
        found = [p for p in payments if place(p) > after]
        page = found[: self.page_size]
        following = None
        if len(found) > self.page_size:
            following = f"{page[-1]['updated_at']}/{page[-1]['id']}"
        return httpx.Response(200, json={"payments": page, "next_cursor": following})


class Checkout:
    """One order's payment, as its neighbours see it: events in, events out."""

    def __init__(self, db: Database, loop: Operations, provider: PaymentProvider) -> None:
        self.db = db
        self.loop = loop
        self.provider = provider
        self.order_id = new_id()

    def reserved(self, **changes: Any) -> Event:
        data = {
            "order_id": self.order_id,
            "customer_id": "customer-1",
            "amount_minor": 1999,
            "currency": "USD",
            "payment_method": "pm_ok",
        }
        return Event("stock.reserved", self.order_id, data | changes)

    def confirmed(self) -> Event:
        return promised("order.confirmed", self.order_id, {"order_id": self.order_id})

    def cancellation(self) -> Event:
        data = {"order_id": self.order_id, "reason": "customer_cancelled"}
        return promised("order.cancellation_requested", self.order_id, data)

    def returned(self, asked_minor: int, return_id: str | None = None, **changes: Any) -> Event:
        data = {
            "order_id": self.order_id,
            "return_id": return_id or new_id(),
            "customer_id": "customer-1",
            "amount_minor": asked_minor,
            "currency": "USD",
            "lines": [{"sku": "MUG-1", "quantity": 1}],
        }
        return Event("order.returned", self.order_id, data | changes)

    @staticmethod
    def webhook(
        event_id: str, payment: dict[str, Any], refund: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """A webhook as the provider words it."""
        kind = "refunded" if refund else payment.get("status")
        return {
            "id": event_id,
            "type": f"payment.{kind}",
            "created_at": "2026-01-01T00:00:00Z",
            "data": {"payment": payment} | ({"refund": refund} if refund else {}),
        }

    def hear(self, *messages: Event | str, receives: int = 1) -> Outcome:
        return deliver(self.db, HANDLERS, *messages, receives=receives)

    def work(self) -> int:
        """One turn of the worker's loop and the calls that it starts; how many those were."""
        started = self.loop.run_once()
        self.loop.finish()
        return started

    def claim(self) -> list[Operation]:
        with self.db.transaction() as tx:
            return operations.claim(tx, limit=20)

    def hear_webhook(self, *bodies: dict[str, Any]) -> None:
        """Received and looked at, one after the other."""
        for body in bodies:
            with self.db.transaction() as tx:
                webhooks.receive(tx, json.dumps(body).encode())
            while webhooks.run_once(self.db, self.provider):
                continue

    def compare_books(self) -> int:
        """One run of the comparison, whenever it is due."""
        with self.db.transaction() as tx:
            tx.execute(text("UPDATE reconciliation_plan SET next_run_at = NULL"))
            tx.execute(
                text("INSERT INTO reconciliation_plan (id) VALUES (1) ON CONFLICT (id) DO NOTHING")
            )
        return reconciliation.run_once(self.db, self.provider)

    def wait(self, seconds: float) -> None:
        """Time passes for the operations: everything is due that much sooner."""
        with self.db.transaction() as tx:
            tx.execute(
                text(
                    "UPDATE operations"
                    " SET next_attempt_at = next_attempt_at - make_interval(secs => :s)"
                ),
                {"s": seconds},
            )

    def told(self) -> list[str]:
        return [event.type for event in published(self.db) if event.subject == self.order_id]

    def answers(self) -> list[dict[str, Any]]:
        """`data` of what was told, without the ids."""
        return [
            {name: value for name, value in event.data.items() if not name.endswith("_id")}
            for event in published(self.db)
            if event.subject == self.order_id
        ]

    @property
    def payment(self) -> Payment:
        return self.view.payment

    @property
    def view(self) -> PaymentView:
        with self.db.transaction() as tx:
            return payments.payment_of(tx, self.order_id)

    @property
    def differences(self) -> list[tuple[str, str | None]]:
        """(kind, order) of each that is open."""
        with self.db.transaction() as tx:
            found, _ = reconciliation.open_differences(tx, None, 100)
        return [(one.kind, one.order_id) for one in found]

    @property
    def operations(self) -> list[dict[str, Any]]:
        """Every operation there is, oldest first."""
        with self.db.transaction() as tx:
            rows = tx.execute(
                text(
                    "SELECT id::text, kind, state, attempts, outcome, last_error, traceparent"
                    " FROM operations ORDER BY id"
                )
            )
            return [dict(row) for row in rows.mappings()]

    @property
    def ledger(self) -> list[tuple[str, int, str]]:
        with self.db.transaction() as tx:
            rows = tx.execute(ledger_entries.select().order_by(ledger_entries.c.id))
            return [(row.account, row.amount_minor, row.currency) for row in rows]


database_url, db = fixtures.database("payment")


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
def provider_client(provider: FakeProvider) -> Iterator[PaymentProvider]:
    with httpx.Client(transport=httpx.MockTransport(provider)) as http:
        yield PaymentProvider(PROVIDER_URL, "a key for tests", http)


@pytest.fixture
def loop(app: Flask, db: Database, provider_client: PaymentProvider) -> Iterator[Operations]:
    """After the application, because a logger keeps the configuration of its first use."""
    asking = Operations(db, lambda operation: operations.answer_to(provider_client, operation))
    yield asking
    asking.close()


@pytest.fixture
def checkout(db: Database, loop: Operations, provider_client: PaymentProvider) -> Checkout:
    return Checkout(db, loop, provider_client)


@pytest.fixture
def new_checkout(
    db: Database, loop: Operations, provider_client: PaymentProvider
) -> Callable[[], Checkout]:
    return lambda: Checkout(db, loop, provider_client)


@pytest.fixture(scope="session")
def app(database_url: str) -> Flask:
    return create_app(
        Settings(
            database_url=SecretStr(database_url),
            jwt_secret=SecretStr(JWT_SECRET),
            payment_provider_url=PROVIDER_URL,
            payment_provider_api_key=SecretStr("a key for tests"),
            payment_webhook_secrets=SecretStr(",".join(WEBHOOK_SECRETS)),
        )
    )


@pytest.fixture
def client(app: Flask, db: Database) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def staff() -> dict[str, str]:
    return bearer(Role.STAFF, "sam")
