"""Health, limits and the one form of every error."""

import json
from collections.abc import Callable

import pytest
from common import app as application
from common import auth, drain
from common.auth import Role
from common.errors import Conflict
from common.settings import ServiceSettings
from common.testing import JWT_SECRET, bearer
from flask import Blueprint
from flask.testing import FlaskClient
from pydantic import BaseModel, ConfigDict, SecretStr


class AlreadyDone(Conflict):
    title = "It was done before"


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: int


def client_of(check: Callable[[], object] = lambda: None) -> FlaskClient:
    probe = Blueprint("probe", __name__)

    @probe.get("/conflict")
    def conflict() -> str:
        raise AlreadyDone("twice", thing="a")

    @probe.get("/bug")
    def bug() -> str:
        raise KeyError("the secret inside")

    @probe.post("/numbers")
    def numbers() -> dict[str, int]:
        from flask import request

        return {"number": Body.model_validate_json(request.get_data()).number}

    @probe.get("/staff")
    @auth.requires(Role.STAFF)
    def staff() -> str:
        return "hello"

    settings = ServiceSettings(database_url=SecretStr("x"), jwt_secret=SecretStr(JWT_SECRET))
    return application.create_app("probe", settings, [probe], {"database": check}).test_client()


@pytest.fixture
def client() -> FlaskClient:
    return client_of()


def test_a_refusal_is_a_problem_with_its_members(client: FlaskClient) -> None:
    response = client.get("/conflict")

    assert response.status_code == 409
    assert response.content_type == "application/problem+json"
    assert response.json == {
        "type": "/problems/already-done", "title": "It was done before", "status": 409,
        "detail": "twice", "thing": "a",
    }  # fmt: skip


def test_a_bug_tells_nothing(client: FlaskClient) -> None:
    response = client.get("/bug")

    assert response.status_code == 500
    assert "secret inside" not in response.text


@pytest.mark.parametrize("body", ["", "{", '{"number": "x"}', "[]", '{"numbers": 1}'])
def test_a_malformed_body_names_the_place(client: FlaskClient, body: str) -> None:
    response = client.post("/numbers", data=body)

    assert response.status_code == 400
    assert response.json is not None
    assert response.json["errors"][0]["pointer"].startswith("/")


def test_a_body_wrong_in_a_thousand_places_is_not_answered_by_more_than_it_sent(
    client: FlaskClient,
) -> None:
    body = json.dumps({f"m{n}": 1 for n in range(10_000)})

    response = client.post("/numbers", data=body)

    assert response.status_code == 400
    assert len(response.get_json()["errors"]) == 100
    assert len(response.data) < len(body)


def test_too_large_a_body_is_refused(client: FlaskClient) -> None:
    response = client.post("/numbers", data=b"x" * (application.BODY_BYTES_MAX + 1))

    assert response.status_code == 413
    assert response.content_type == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nowhere", 404), ("DELETE", "/conflict", 405)]
)
def test_framework_errors_have_the_same_form(
    client: FlaskClient, method: str, path: str, status: int
) -> None:
    response = client.open(path, method=method)

    assert response.status_code == status
    assert response.content_type == "application/problem+json"


def test_a_route_for_staff_refuses_strangers_and_customers(client: FlaskClient) -> None:
    assert client.get("/staff").status_code == 401
    assert client.get("/staff", headers=bearer(Role.CUSTOMER, "ana")).status_code == 403
    assert client.get("/staff", headers=bearer(Role.STAFF, "sam")).status_code == 200


def test_liveness_asks_nothing_and_readiness_asks_the_dependencies() -> None:
    def down() -> None:
        raise ConnectionRefusedError

    client = client_of(down)

    assert client.get("/healthz").status_code == 200
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.headers["Retry-After"]


def test_a_draining_instance_is_alive_and_not_ready(client: FlaskClient) -> None:
    ready = client.get("/readyz").status_code
    drain.start_draining()
    try:
        draining = client.get("/readyz").status_code
    finally:
        drain._draining.clear()

    assert (ready, draining, client.get("/healthz").status_code) == (200, 503, 200)


@pytest.mark.parametrize("card", ["4242424242424242", "4242 4242 4242 4242"])
@pytest.mark.parametrize("place", ["path", "unknown path", "query", "Host", "Idempotency-Key"])
def test_a_card_number_in_what_is_kept_of_a_request_is_refused(
    client: FlaskClient, capsys: pytest.CaptureFixture[str], place: str, card: str
) -> None:
    path = {"path": f"/problems/{card}", "unknown path": f"/{card}"}.get(place, "/conflict")
    query = {"q": card} if place == "query" else {}

    answer = client.get(
        path, query_string=query, headers={place: card} if place[0].isupper() else {}
    )

    assert (answer.status_code, answer.json["type"]) == (422, "/problems/card-number-refused")
    assert card not in answer.text + capsys.readouterr().out
