"""What is promised under contract/ and by the problems' pages is what the code does."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from common.auth import Role
from common.db import Database
from common.testing import conformance, published
from common.testing.contracts import document_of, events_of, hold_to_contract
from common.testing.refusals import refusals_of, without_page
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from payment import domain, routes
from payment.domain import PaymentStatus
from payment.use_cases import webhooks
from schemathesis import Case

if TYPE_CHECKING:
    from conftest import Checkout

CONTRACT = document_of("payment")
STORIES = ("happy", "declined", "voided", "tombstone", "challenged", "refunded")

schema = conformance.contract_of("payment")


@conformance.every_operation(schema, Role.STAFF, Role.CUSTOMER)
def test_every_operation_keeps_its_contract(case: "Case[Any]", app: Flask, role: Role) -> None:
    conformance.hold(case, app, role)


@pytest.mark.parametrize("story", STORIES)
def test_the_payment_promised_is_the_one_answered(
    client: FlaskClient, checkout: "Checkout", staff: dict[str, str], story: str
) -> None:
    _walk(checkout, story)

    answered = client.get(f"/payments/{checkout.order_id}", headers=staff).get_json()
    listed = client.get("/payments", headers=staff).get_json()["items"][0]

    _hold("Payment", answered)
    _hold("ListedPayment", listed)


def test_every_status_is_promised() -> None:
    assert set(CONTRACT["components"]["schemas"]["Status"]["enum"]) == set(PaymentStatus)


@pytest.mark.parametrize("story", STORIES)
def test_the_events_published_are_as_promised(
    db: Database, checkout: "Checkout", story: str
) -> None:
    _walk(checkout, story)

    told = published(db)

    assert told
    for event in told:
        hold_to_contract(event)
        assert event.subject == event.data["order_id"]


def test_every_event_promised_is_published(
    db: Database, new_checkout: "Callable[[], Checkout]"
) -> None:
    for story in STORIES:
        _walk(new_checkout(), story)

    assert {event.type for event in published(db)} == set(events_of("payment"))


def test_every_refusal_has_its_page() -> None:
    assert without_page(*refusals_of(domain, routes, webhooks)) == []


def _hold(name: str, body: Any) -> None:
    Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": CONTRACT["components"]},
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    ).validate(body)


def _walk(checkout: "Checkout", story: str) -> None:
    methods = {"declined": "pm_declined", "challenged": "pm_3ds_required"}
    if story != "tombstone":
        checkout.hear(checkout.reserved(payment_method=methods.get(story, "pm_ok")))
        checkout.work()
    if story in {"happy", "refunded"}:
        checkout.hear(checkout.confirmed())
        checkout.work()
    elif story != "challenged":
        checkout.hear(checkout.cancellation())
        checkout.work()
    if story == "refunded":
        checkout.hear(checkout.returned(500))
        checkout.work()
