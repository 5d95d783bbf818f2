"""The committed contract is what a running service shows."""

from pathlib import Path

import pytest
from common import app as application
from common.settings import ServiceSettings
from common.testing import JWT_SECRET
from flask.testing import FlaskClient
from pydantic import SecretStr

OPENAPI = "openapi: 3.1.0\ninfo: {title: Probe, version: 1.0.0}\npaths: {}\n"
ASYNCAPI = """
asyncapi: 3.0.0
info: {title: "Probe: events", version: 1.0.0, description: Ours.}
channels: {}
operations:
  send.order.placed:
    action: send
    channel: {$ref: "#/channels/order-events"}
    messages: [{$ref: "#/channels/order-events/messages/order.placed"}]
components:
  messages:
    order.placed:
      summary: Accepted <b>now</b>.
      payload:
        properties:
          data:
            required: [order_id]
            properties:
              order_id: {type: string, description: Its own.}
              note: {type: [string, "null"]}
"""


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    (tmp_path / "openapi.yaml").write_text(OPENAPI)
    (tmp_path / "asyncapi.yaml").write_text(ASYNCAPI)
    settings = ServiceSettings(database_url=SecretStr("x"), jwt_secret=SecretStr(JWT_SECRET))
    return application.create_app("probe", settings, [], {}, contract=tmp_path).test_client()


def test_the_document_is_served_as_committed(client: FlaskClient) -> None:
    assert client.get("/openapi.yaml").text == OPENAPI
    assert client.get("/openapi.json").get_json()["info"]["title"] == "Probe"
    assert client.get("/asyncapi.yaml").text == ASYNCAPI
    assert client.get("/asyncapi.json").get_json()["asyncapi"] == "3.0.0"


def test_people_get_a_page_of_the_events(client: FlaskClient) -> None:
    page = client.get("/docs/events").text

    assert "Sent to <code>order-events</code>" in page
    assert "string or null" in page
    assert "Accepted &lt;b&gt;now" in page


def test_people_get_a_page_that_loads_nothing_from_elsewhere(client: FlaskClient) -> None:
    page = client.get("/docs/")

    assert page.status_code == 200
    assert "swagger-ui" in page.text
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert "https://" not in page.text
    assert client.get("/docs/swagger-ui-bundle.js", buffered=True).status_code == 200


def test_the_root_leads_to_the_page(client: FlaskClient) -> None:
    answer = client.get("/")

    assert (answer.status_code, answer.headers["Location"]) == (302, "/docs/")
    assert client.get("/docs/").status_code == 200


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
