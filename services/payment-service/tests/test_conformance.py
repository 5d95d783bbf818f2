"""Every route has decided who may use it, and is in the contract (test_contract fuzzes them)."""

import pytest
from common.db import Database
from common.testing import texts
from common.testing.routes import contradictions, undecided
from flask import Flask


@pytest.mark.parametrize("place", texts.places("payment"), ids=str)
def test_a_card_number_is_refused_wherever_a_text_is_taken(
    place: texts.Place, app: Flask, db: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    texts.hold(place, app, db, capsys)


def test_every_route_names_its_roles_or_is_public(app: Flask) -> None:
    assert undecided(app) == []


def test_the_contract_has_every_operation_and_no_other(app: Flask) -> None:
    assert contradictions(app, "payment") == []
