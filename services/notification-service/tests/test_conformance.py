"""Every operation keeps its contract, whatever is sent to it, and every route has decided."""

from typing import TYPE_CHECKING, Any

import pytest
from common.auth import Role
from common.db import Database
from common.ids import new_id
from common.testing import conformance, texts
from common.testing.routes import contradictions, undecided
from flask import Flask
from schemathesis import Case
from schemathesis.generation import GenerationMode
from sqlalchemy import text

if TYPE_CHECKING:
    from conftest import News

schema = conformance.contract_of("notification")


@conformance.every_operation(schema, Role.CUSTOMER, Role.STAFF)
def test_every_operation_keeps_its_contract(
    case: "Case[Any]", app: Flask, db: Database, role: Role
) -> None:
    conformance.hold(case, app, role)


@schema.include(operation_id=["readMessages", "readMessage", "resendMessage"]).parametrize()
@conformance.SETTINGS
def test_a_message_that_is_there_keeps_its_contract(
    case: "Case[Any]", app: Flask, db: Database, news: "News"
) -> None:
    """Above it is nobody's, and the answer is a refusal."""
    with db.transaction() as tx:
        tx.execute(text("DELETE FROM messages"))
        tx.execute(text("DELETE FROM idempotency_keys"))
    news.heard(news.refunded(email="ada@customer.example"))
    with db.transaction() as tx:
        tx.execute(text("UPDATE messages SET state = 'failed', reason = 'deferred'"))
    if _is_valid(case):
        message = news.message()
        names = {"id": message.id, "order_id": message.order_id}
        case.path_parameters = {name: names[name] for name in case.path_parameters}

    conformance.hold(case, app, Role.STAFF)


@schema.include(operation_id=["listSuppressions", "liftSuppression"]).parametrize()
@conformance.SETTINGS
def test_a_suppression_that_is_there_keeps_its_contract(
    case: "Case[Any]", app: Flask, db: Database
) -> None:
    suppression_id = new_id()
    with db.transaction() as tx:
        tx.execute(text("DELETE FROM suppressions"))
        tx.execute(
            text(
                "INSERT INTO suppressions VALUES (:id, 'ada@customer.example', '550', :id, now())"
            ),
            {"id": suppression_id},
        )
    if case.path_parameters and _is_valid(case):
        case.path_parameters["id"] = suppression_id

    conformance.hold(case, app, Role.STAFF)


def _is_valid(case: "Case[Any]") -> bool:
    return case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE


@pytest.mark.parametrize("place", texts.places("notification"), ids=str)
def test_a_card_number_is_refused_wherever_a_text_is_taken(
    place: texts.Place, app: Flask, db: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    texts.hold(place, app, db, capsys)


def test_every_route_names_its_roles_or_is_public(app: Flask) -> None:
    assert undecided(app) == []


def test_the_contract_has_every_operation_and_no_other(app: Flask) -> None:
    assert contradictions(app, "notification") == []
