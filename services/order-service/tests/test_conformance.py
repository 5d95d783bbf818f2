"""Every operation keeps its contract, whatever is sent to it, and every route has decided."""

import pytest
from common.auth import Role
from common.db import Database
from common.testing import conformance
from common.testing.routes import contradictions, undecided
from flask import Flask
from schemathesis import Case

schema, target = conformance.contract_of("order")


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.STAFF])
@schema.parametrize()
@conformance.SETTINGS
def test_every_operation_keeps_its_contract(
    case: Case, app: Flask, db: Database, role: Role
) -> None:
    conformance.hold(case, target, app, role)


def test_every_route_names_its_roles_or_is_public(app: Flask) -> None:
    assert undecided(app) == []


def test_the_contract_has_every_operation_and_no_other(app: Flask) -> None:
    assert contradictions(app, "order") == []
