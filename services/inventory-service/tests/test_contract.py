"""Every operation of the contract, with valid and invalid requests, by anybody."""

from typing import Any

import pytest
from common.auth import Role
from common.db import Database
from common.testing import JWT_SECRET, conformance, texts
from flask import Flask
from inventory import use_cases
from inventory.app import create_app
from inventory.domain import Change, Line, Reason
from inventory.settings import Settings
from pydantic import SecretStr
from schemathesis import Case

schema = conformance.contract_of("inventory")


@pytest.fixture
def app(database_url: str, db: Database) -> Flask:
    """An application whose shelf holds what short SKUs are likely to name."""
    with db.transaction() as tx:
        lines = [Line(sku, 10) for sku in "0123456789A"]
        use_cases.receive_stock(tx, lines, Change(Reason.RECEIPT, "", "staff-1"))
    return create_app(
        Settings(database_url=SecretStr(database_url), jwt_secret=SecretStr(JWT_SECRET))
    )


@conformance.every_operation(schema, Role.STAFF, Role.CUSTOMER)
def test_every_operation_keeps_its_contract(case: "Case[Any]", app: Flask, role: Role) -> None:
    conformance.hold(case, app, role)


@pytest.mark.parametrize("place", texts.places("inventory"), ids=str)
def test_a_card_number_is_refused_wherever_a_text_is_taken(
    place: texts.Place, app: Flask, db: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    texts.hold(place, app, db, capsys)
