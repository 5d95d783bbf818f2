"""Every route has decided who may use it, and is in the contract (test_contract fuzzes them)."""

from common.testing.routes import contradictions, undecided
from flask import Flask


def test_every_route_names_its_roles_or_is_public(app: Flask) -> None:
    assert undecided(app) == []


def test_the_contract_has_every_operation_and_no_other(app: Flask) -> None:
    assert contradictions(app, "payment") == []
