"""Services' own tokens: granted by client id and secret, fetched and kept by `ServiceToken`."""

import json
from collections.abc import Mapping

import httpx
import pytest
from auth.app import create_app
from auth.settings import Settings
from auth.worker import run_command
from common import auth
from common.auth import Caller, Role
from common.auth.service_token import ServiceToken, _granted
from common.db import Database
from common.testing import JWT_SECRET, REDIS_WITHIN_S, bearer
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

FORM = {"grant_type": "client_credentials"}


def made(name: str) -> tuple[str, str]:
    """A secret, and the entry that lets the auth service know it, as the command prints them."""
    told = run_command(["service-client", name])
    return told.partition("SERVICE_CLIENT_SECRET=")[2].split()[0], told.split()[-1]


SECRET, ENTRY = made("cart")
NEXT_SECRET, NEXT_ENTRY = made("cart")


@pytest.fixture
def client(settings: Settings, db: Database, redis_url: str) -> FlaskClient:
    clients = {"service_clients": f"{ENTRY},{NEXT_ENTRY},{made('order')[1]}"}
    named = settings.model_copy(update=clients)
    return create_app(named, redis_timeout_s=REDIS_WITHIN_S).test_client()


def ask(
    client: FlaskClient,
    form: Mapping[str, str | list[str]] = FORM,
    *,
    name: str = "cart",
    secret: str = SECRET,
) -> TestResponse:
    return client.post("/oauth2/token", data=form, auth=(name, secret))


def problem(response: TestResponse) -> tuple[int, str, str]:
    body = response.get_json()
    return response.status_code, body["type"], body.get("error")


def test_a_service_gets_a_short_token_of_its_own(client: FlaskClient) -> None:
    response = ask(client)

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    body = response.get_json()
    assert body == {
        "access_token": body["access_token"], "token_type": "Bearer", "expires_in": 300,
    }  # fmt: skip
    assert auth.verify(JWT_SECRET, body["access_token"]) == Caller("cart", Role.SERVICE)


def test_while_a_secret_is_replaced_both_hold(client: FlaskClient) -> None:
    assert ask(client, secret=NEXT_SECRET).status_code == 200


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("cart", ""), ("cart", SECRET + "x"), ("cart", SECRET[:-1]), ("order", SECRET),
        ("", SECRET), ("payment", SECRET), ("cart", ENTRY.partition(":")[2]), ("' OR true --", "x"),
    ],
    ids=[
        "none", "longer", "shorter", "another's", "nobody", "unknown", "the digest", "SQL",
    ],
)  # fmt: skip
def test_nobody_else_gets_one(client: FlaskClient, name: str, secret: str) -> None:
    response = ask(client, name=name, secret=secret)

    assert problem(response) == (401, "/problems/invalid-client", "invalid_client")
    assert response.headers["WWW-Authenticate"] == 'Basic realm="cartwright"'


@pytest.mark.parametrize("header", [None, "Basic", "Basic x", "Basic YQ==", "Basic /w=="])
def test_half_credentials_are_none(client: FlaskClient, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}

    response = client.post("/oauth2/token", data=FORM, headers=headers)

    assert problem(response) == (401, "/problems/invalid-client", "invalid_client")


def test_an_access_token_identifies_no_client(client: FlaskClient) -> None:
    response = client.post("/oauth2/token", data=FORM, headers=bearer(Role.SERVICE, "cart"))

    assert response.status_code == 401


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({}, (400, "/problems/malformed-token-request", "invalid_request")),
        ({"grant_type": ""}, (400, "/problems/malformed-token-request", "invalid_request")),
        (
            {"grant_type": ["client_credentials"] * 2},
            (400, "/problems/malformed-token-request", "invalid_request"),
        ),
        (
            {"grant_type": "password"},
            (400, "/problems/unsupported-grant-type", "unsupported_grant_type"),
        ),
        (FORM | {"scope": "staff"}, (400, "/problems/invalid-scope", "invalid_scope")),
    ],
    ids=["empty", "no value", "twice", "another grant", "a scope"],
)
def test_what_rfc_6749_refuses_is_refused_with_its_code(
    client: FlaskClient, form: dict[str, str | list[str]], expected: tuple[int, str, str]
) -> None:
    response = client.post(
        "/oauth2/token",
        data=form,
        auth=("cart", SECRET),
        content_type="application/x-www-form-urlencoded",
    )

    assert problem(response) == expected


def test_json_is_no_form(client: FlaskClient) -> None:
    response = client.post("/oauth2/token", json=FORM, auth=("cart", SECRET))

    assert problem(response)[:2] == (415, "/problems/form-expected")


def test_a_service_fetches_its_token_and_is_known_by_it(client: FlaskClient) -> None:
    wire = httpx.WSGITransport(app=client.application)
    with httpx.Client(transport=wire, base_url="http://auth", auth=("cart", SECRET)) as grants:
        token = ServiceToken(_granted(grants, "http://auth/oauth2/token"))
        with httpx.Client(transport=wire, base_url="http://auth", auth=token) as caller:
            me = caller.get("/me")

    assert json.loads(me.content) == {"customer_id": "cart", "role": "service"}
