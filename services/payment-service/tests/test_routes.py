from typing import TYPE_CHECKING

import pytest
from common.auth import Role
from common.ids import new_id
from common.testing import bearer
from flask.testing import FlaskClient

if TYPE_CHECKING:
    from conftest import Checkout


@pytest.mark.parametrize("role", [Role.STAFF, Role.SERVICE])
def test_staff_and_services_see_the_payment_of_an_order(
    client: FlaskClient, checkout: "Checkout", role: Role
) -> None:
    checkout.hear(checkout.reserved())

    answer = client.get(f"/payments/{checkout.order_id}", headers=bearer(role, "somebody"))

    assert answer.status_code == 200
    assert answer.json == {
        "order_id": checkout.order_id,
        "status": "initiated",
        "amount_minor": 1999,
        "currency": "USD",
        "decline_code": None,
    }


def test_a_declined_payment_says_why(
    client: FlaskClient, checkout: "Checkout", staff: dict[str, str]
) -> None:
    checkout.hear(checkout.reserved(payment_method="pm_declined"))
    checkout.work()

    answer = client.get(f"/payments/{checkout.order_id}", headers=staff)

    assert answer.json
    assert (answer.json["status"], answer.json["decline_code"]) == ("declined", "generic_decline")


def test_an_order_that_nobody_heard_of_has_no_payment(
    client: FlaskClient, checkout: "Checkout", staff: dict[str, str]
) -> None:
    answer = client.get(f"/payments/{checkout.order_id}", headers=staff)

    assert answer.status_code == 404
    assert answer.content_type == "application/problem+json"
    assert answer.json
    assert answer.json["type"] == "/problems/payment-not-found"


def test_shoppers_do_not_read_payments(client: FlaskClient, checkout: "Checkout") -> None:
    checkout.hear(checkout.reserved())
    path = f"/payments/{checkout.order_id}"

    assert client.get(path).status_code == 401
    assert client.get(path, headers=bearer(Role.CUSTOMER, "customer-1")).status_code == 403
    assert client.get(path, headers=bearer(Role.GUEST, "guest-1")).status_code == 403


def test_what_is_no_order_id_is_no_path(client: FlaskClient, staff: dict[str, str]) -> None:
    assert client.get("/payments/1", headers=staff).status_code == 404


def test_nothing_is_changed_by_http(client: FlaskClient, staff: dict[str, str]) -> None:
    assert client.post(f"/payments/{new_id()}", headers=staff).status_code == 405
