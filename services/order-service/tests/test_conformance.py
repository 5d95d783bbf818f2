"""Every operation keeps its contract, whatever is sent to it, and every route has decided."""

from typing import Any

import pytest
from common.auth import Role
from common.db import Database
from common.testing import bearer, conformance, deliver, promised, texts
from common.testing.routes import contradictions, undecided
from flask import Flask
from order.worker import HANDLERS
from order_fixtures import Ana
from schemathesis import Case
from schemathesis.generation import GenerationMode

schema = conformance.contract_of("order")


@conformance.every_operation(schema, Role.CUSTOMER, Role.STAFF)
def test_every_operation_keeps_its_contract(
    case: "Case[Any]", app: Flask, db: Database, role: Role
) -> None:
    conformance.hold(case, app, role)


@schema.include(operation_id="followOrder").parametrize()
@conformance.SETTINGS
def test_the_stream_of_an_order_that_is_there_keeps_its_contract(
    case: "Case[Any]", app: Flask, db: Database, ana: Ana
) -> None:
    """It is settled, so that the stream ends; above it is nobody's, and never begins."""
    ana.headers = bearer(Role.CUSTOMER, conformance.SUBJECT)
    order_id = ana.place().json["id"]
    for answer in ("payment.authorized", "stock.committed", "payment.captured"):
        deliver(db, HANDLERS, promised(answer, order_id, {"order_id": order_id}))
    if case.meta and case.meta.generation.mode is GenerationMode.POSITIVE:
        case.path_parameters["order_id"] = order_id

    conformance.hold(case, app, Role.CUSTOMER)


@pytest.mark.parametrize("place", texts.places("order"), ids=str)
def test_a_card_number_is_refused_wherever_a_text_is_taken(
    place: texts.Place, app: Flask, db: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    texts.hold(place, app, db, capsys)


def test_every_route_names_its_roles_or_is_public(app: Flask) -> None:
    assert undecided(app) == []


def test_the_contract_has_every_operation_and_no_other(app: Flask) -> None:
    assert contradictions(app, "order") == []
