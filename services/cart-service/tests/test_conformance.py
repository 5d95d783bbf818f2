"""Every operation keeps its contract, whatever is sent to it, and every route has decided."""

from typing import Any

import pytest
from common.auth import Role
from common.db import Database
from common.testing import conformance, texts
from common.testing.routes import contradictions, undecided
from flask import Flask
from flask.testing import FlaskClient
from schemathesis import Case

schema = conformance.contract_of("cart")


@conformance.every_operation(schema, Role.CUSTOMER, Role.GUEST, Role.STAFF)
def test_every_operation_keeps_its_contract(
    case: "Case[Any]", app: Flask, client: FlaskClient, role: Role
) -> None:
    """`client` is for what it brings: an empty cart, and neighbours who answer."""
    conformance.hold(case, app, role)


@pytest.mark.parametrize("place", texts.places("cart"), ids=str)
def test_a_card_number_is_refused_wherever_a_text_is_taken(
    place: texts.Place, app: Flask, db: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    texts.hold(place, app, db, capsys)


def test_every_route_names_its_roles_or_is_public(app: Flask) -> None:
    assert undecided(app) == []


def test_the_contract_has_every_operation_and_no_other(app: Flask) -> None:
    assert contradictions(app, "cart") == []
