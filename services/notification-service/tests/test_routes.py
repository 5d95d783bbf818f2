from pathlib import Path

import pytest
import yaml
from common.auth import Role
from common.db import Database
from common.events import Event
from common.ids import new_id
from common.testing import JWT_SECRET, bearer, deliver
from common.testing.routes import contradictions
from flask import Flask
from flask.testing import FlaskClient
from notification.app import create_app
from notification.settings import Settings
from notification.worker import HANDLERS
from pydantic import SecretStr

OPENAPI = Path(__file__).parents[1] / "contract" / "openapi.yaml"
STAFF = bearer(Role.STAFF, "staff-1")


@pytest.fixture
def app(database_url: str, db: Database) -> Flask:
    settings = Settings(database_url=SecretStr(database_url), jwt_secret=SecretStr(JWT_SECRET))
    return create_app(settings)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def _cancel(db: Database, order_id: str) -> None:
    data = {
        "order_id": order_id,
        "email": "ada@customer.example",
        "reason": "out_of_stock",
        "total_minor": 1999,
        "currency": "USD",
    }
    deliver(db, HANDLERS, Event("order.cancelled", order_id, data))


@pytest.mark.parametrize("role", [Role.STAFF, Role.SERVICE])
def test_staff_and_services_see_the_messages_of_an_order(
    client: FlaskClient, db: Database, role: Role
) -> None:
    order_id = new_id()
    _cancel(db, order_id)

    answer = client.get(f"/orders/{order_id}/messages", headers=bearer(role, "somebody"))

    assert answer.json
    (message,) = answer.json["messages"]
    contract = yaml.safe_load(OPENAPI.read_text())
    assert message.keys() == contract["components"]["schemas"]["Message"]["properties"].keys()
    assert message["kind"] == "order_cancellation"
    assert message["recipient"] == "ada@customer.example"
    assert message["state"] == "queued"
    assert message["sent_at"] is None


def test_an_order_that_nobody_heard_of_has_no_messages(client: FlaskClient) -> None:
    order_id = new_id()

    answer = client.get(f"/orders/{order_id}/messages", headers=STAFF)

    assert answer.json == {"order_id": order_id, "messages": []}


def test_customers_do_not_read_messages(client: FlaskClient) -> None:
    path = f"/orders/{new_id()}/messages"

    assert client.get(path).status_code == 401
    assert client.get(path, headers=bearer(Role.CUSTOMER, "customer-1")).status_code == 403


def test_the_contract_names_every_route_and_no_other(app: Flask) -> None:
    assert contradictions(app, "notification") == []
