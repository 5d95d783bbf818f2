"""What is promised under contract/ and by the problems' pages is what the code does."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from common import contract, errors, problems
from common.auth import Role
from common.db import Database
from common.problem_pages import TEXTS
from common.testing import conformance, published
from common.testing.contracts import hold_to_contract
from common.testing.routes import contradictions, undecided
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from payment import domain, routes
from payment.domain import PaymentStatus
from payment.use_cases import webhooks
from schemathesis import Case

if TYPE_CHECKING:
    from conftest import Checkout

SERVICE = Path(__file__).parents[1]
CONTRACT: dict[str, Any] = contract.read(SERVICE / "contract" / "openapi.yaml")
EVENTS = {
    path.name.removesuffix(".v1.json") for path in (SERVICE / "contract" / "events").glob("*.json")
}
STORIES = ("happy", "declined", "voided", "tombstone", "challenged", "refunded")

schema, target = conformance.contract_of("payment")


@schema.parametrize()
@pytest.mark.parametrize("role", [Role.STAFF, Role.CUSTOMER])
@conformance.SETTINGS
def test_every_operation_keeps_its_contract(case: "Case[Any]", app: Flask, role: Role) -> None:
    conformance.hold(case, target, app, role=role)


def test_the_operations_promised_are_the_operations_served(app: Flask) -> None:
    assert contradictions(app, "payment") == []
    assert undecided(app) == []


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

    assert {event.type for event in published(db)} == EVENTS


def test_every_refusal_has_its_page() -> None:
    refusals = [
        kind
        for module in (domain, routes, webhooks)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, errors.Refusal) and "title" in vars(kind)
    ]

    assert refusals
    for refusal in refusals:
        status = next(code for base, code in problems.STATUS.items() if issubclass(refusal, base))
        type_ = problems.problem_type(refusal)
        page = (TEXTS / f"{type_.rpartition('/')[2]}.md").read_text()
        assert page.startswith(f"# {refusal.title}\n")
        assert f"Type `{type_}` · status {status}" in page


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
