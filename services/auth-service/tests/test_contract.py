"""What is promised under contract/ and by the problems' pages is what the code does."""

import pytest
from auth import domain
from auth.routes import bodies
from common.db import Database
from common.testing import published
from common.testing.contracts import bounds_promised, bounds_taken, events_of
from common.testing.refusals import refusals_of, without_page
from flask.testing import FlaskClient
from pydantic import BaseModel


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("Registration", bodies.RegistrationIn),
        ("Login", bodies.LoginIn),
        ("GuestTokenRequest", bodies.GuestTokenIn),
        ("Refresh", bodies.RefreshIn),
        ("PasswordChange", bodies.PasswordChangeIn),
    ],
)
def test_the_requests_promised_are_those_taken(name: str, model: type[BaseModel]) -> None:
    assert bounds_promised("auth", name) == bounds_taken(model)


def test_the_events_promised_are_those_published(client: FlaskClient, db: Database) -> None:
    client.post(
        "/register", json={"email": "ana@example.com", "password": "correct horse", "name": "Ana"}
    )

    told = {event.type: set(event.data) for event in published(db)}

    assert told == {type_: set(schema["required"]) for type_, schema in events_of("auth").items()}


def test_every_refusal_has_its_page() -> None:
    assert without_page(*refusals_of(domain)) == []
