"""The committed contract is what a running service shows."""

from pathlib import Path

import pytest
from common import app as application
from common.settings import ServiceSettings
from common.testing import JWT_SECRET
from flask.testing import FlaskClient
from pydantic import SecretStr

CONTRACT = "openapi: 3.1.0\ninfo: {title: Probe, version: 1.0.0}\npaths: {}\n"


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    (tmp_path / "openapi.yaml").write_text(CONTRACT)
    settings = ServiceSettings(database_url=SecretStr("x"), jwt_secret=SecretStr(JWT_SECRET))
    return application.create_app("probe", settings, [], {}, contract=tmp_path).test_client()


def test_the_document_is_served_as_committed(client: FlaskClient) -> None:
    assert client.get("/openapi.yaml").text == CONTRACT
    assert client.get("/openapi.json").get_json()["info"]["title"] == "Probe"


def test_people_get_a_page_that_loads_nothing_from_elsewhere(client: FlaskClient) -> None:
    page = client.get("/docs/")

    assert page.status_code == 200
    assert "swagger-ui" in page.text
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert "https://" not in page.text
    assert client.get("/docs/swagger-ui-bundle.js", buffered=True).status_code == 200


def test_a_service_without_a_contract_does_not_start(tmp_path: Path) -> None:
    settings = ServiceSettings(database_url=SecretStr("x"), jwt_secret=SecretStr(JWT_SECRET))

    with pytest.raises(FileNotFoundError):
        application.create_app("probe", settings, [], {}, contract=tmp_path)


def test_every_answer_carries_the_security_headers(client: FlaskClient) -> None:
    for path in ("/healthz", "/openapi.json", "/nowhere"):
        headers = client.get(path).headers

        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert "Access-Control-Allow-Origin" not in headers


def test_no_shared_cache_keeps_what_a_caller_was_told(client: FlaskClient) -> None:
    asked_with_a_token = client.get("/nowhere", headers={"Authorization": "Bearer x"})

    assert asked_with_a_token.headers["Cache-Control"] == "no-store"
