import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from common.auth import Role
from common.db import Database
from common.events import Event
from common.ids import new_id
from common.testing import (
    JWT_SECRET,
    Outcome,
    bearer,
    clean_database,
    deliver,
    migrated_database,
    published,
)
from flask import Flask
from flask.testing import FlaskClient
from payment import store, use_cases
from payment.app import create_app
from payment.clients import PaymentProvider
from payment.domain import Operation, Payment
from payment.settings import Settings
from payment.worker import HANDLERS, Operations
from pydantic import SecretStr
from sqlalchemy import text

PROVIDER_URL = "https://provider.example"
DECLINES = {"pm_declined": "generic_decline"}


class FakeProvider:
    """The provider's three POSTs over dicts: a repeated key gets its first answer again.

    calls: (path, key, body) as they came. statuses: of each payment, by its id.
    answers: what it does instead of answering the next calls, before or after it acts.
    on_call: called while a call is on its way.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.statuses: dict[str, str] = {}
        self.before: list[Callable[[], httpx.Response]] = []
        self.after: list[Callable[[], httpx.Response]] = []
        self.on_call: Callable[[], object] = lambda: None
        self._kept: dict[str, httpx.Response] = {}
        self._lock = threading.Lock()

    def __call__(self, request: httpx.Request) -> httpx.Response:
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
    def keys(self) -> list[str]:
        return [key for _, key, _ in self.calls]

    @property
    def paths(self) -> list[str]:
        """With `{id}` for whichever payment."""
        shown = []
        for path, _, _ in self.calls:
            steps = path.split("/")
            shown.append("/".join("{id}" if step in self.statuses else step for step in steps))
        return shown

    def _act(self, path: str, body: dict[str, Any]) -> httpx.Response:
        _, _, _, *steps = path.split("/")
        if not steps:
            return self._authorize(body)
        id_, verb = steps
        if self.statuses.get(id_) != "authorized":
            return httpx.Response(409, json={"type": "urn:x:illegal-transition"})
        self.statuses[id_] = {"capture": "captured", "void": "voided"}[verb]
        return httpx.Response(200, json={"id": id_, "status": self.statuses[id_]})

    def _authorize(self, body: dict[str, Any]) -> httpx.Response:
        if body["payment_method"] == "pm_unknown":
            problem = {"type": "urn:x:unknown-payment-method", "code": "resource_missing"}
            return httpx.Response(400, json=problem)
        id_ = f"pay_{len(self.statuses) + 1}"
        declined = DECLINES.get(body["payment_method"])
        self.statuses[id_] = "declined" if declined else "authorized"
        answer = {"id": id_, "status": self.statuses[id_]}
        return httpx.Response(200, json=answer | ({"decline_code": declined} if declined else {}))


class Checkout:
    """One order's payment, as its neighbours see it: events in, events out."""

    def __init__(self, db: Database, loop: Operations) -> None:
        self.db = db
        self.loop = loop
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
        return Event("order.confirmed", self.order_id, {"order_id": self.order_id})

    def cancellation(self) -> Event:
        data = {"order_id": self.order_id, "reason": "customer_cancelled"}
        return Event("order.cancellation_requested", self.order_id, data)

    def hear(self, *messages: Event | str, receives: int = 1) -> Outcome:
        return deliver(self.db, HANDLERS, *messages, receives=receives)

    def work(self) -> int:
        """One turn of the worker's loop and the calls that it starts; how many those were."""
        started = self.loop.run_once()
        self.loop.finish()
        return started

    def claim(self) -> list[Operation]:
        with self.db.transaction() as tx:
            return use_cases.claim(tx, limit=20)

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
        with self.db.transaction() as tx:
            return use_cases.payment_of(tx, self.order_id)

    @property
    def operations(self) -> list[dict[str, Any]]:
        """Every operation there is, oldest first."""
        with self.db.transaction() as tx:
            rows = tx.execute(
                text(
                    "SELECT id::text, kind, state, attempts, last_error, traceparent"
                    " FROM operations ORDER BY id"
                )
            )
            return [dict(row) for row in rows.mappings()]

    @property
    def ledger(self) -> list[tuple[str, int, str]]:
        with self.db.transaction() as tx:
            entries = store.ledger_entries
            rows = tx.execute(entries.select().order_by(entries.c.id))
            return [(row.account, row.amount_minor, row.currency) for row in rows]


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    with migrated_database("payment") as url:
        yield url


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    with clean_database(database_url) as database:
        yield database


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
def provider_client(provider: FakeProvider) -> Iterator[PaymentProvider]:
    with httpx.Client(transport=httpx.MockTransport(provider)) as http:
        yield PaymentProvider(PROVIDER_URL, "a key for tests", http)


@pytest.fixture
def loop(db: Database, provider_client: PaymentProvider) -> Iterator[Operations]:
    operations = Operations(db, provider_client.perform)
    yield operations
    operations.close()


@pytest.fixture
def checkout(db: Database, loop: Operations) -> Checkout:
    return Checkout(db, loop)


@pytest.fixture
def new_checkout(db: Database, loop: Operations) -> Callable[[], Checkout]:
    return lambda: Checkout(db, loop)


@pytest.fixture(scope="session")
def app(database_url: str) -> Flask:
    return create_app(
        Settings(
            database_url=SecretStr(database_url),
            jwt_secret=SecretStr(JWT_SECRET),
            payment_provider_url=PROVIDER_URL,
            payment_provider_api_key=SecretStr("a key for tests"),
        )
    )


@pytest.fixture
def client(app: Flask, db: Database) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def staff() -> dict[str, str]:
    return bearer(Role.STAFF, "sam")
