import time
from contextvars import copy_context

import pytest
from common import app as application
from common import deadline
from common.settings import ServiceSettings
from common.testing import JWT_SECRET
from flask import Blueprint
from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.test import TestResponse


@pytest.fixture
def client() -> FlaskClient:
    probe = Blueprint("probe", __name__)
    probe.get("/left")(lambda: {"left_s": deadline.remaining_s(), **deadline.header()})
    settings = ServiceSettings(database_url=SecretStr("x"), jwt_secret=SecretStr(JWT_SECRET))
    return application.create_app("probe", settings, [probe], {}).test_client()


@pytest.mark.parametrize(("asked", "at_most_s"), [(None, 3.0), ("500", 0.5), ("999999", 3.0)])
def test_a_request_has_the_time_it_asks_for_and_never_more_than_ours(
    client: FlaskClient, asked: str | None, at_most_s: float
) -> None:
    answer = client.get("/left", headers={deadline.HEADER: asked} if asked else {}).get_json()

    assert 0 < answer["left_s"] <= at_most_s
    assert int(answer[deadline.HEADER]) <= at_most_s * 1000


def test_what_comes_too_late_is_refused_before_any_work(client: FlaskClient) -> None:
    response = client.get("/left", headers={deadline.HEADER: "49"})

    assert response.status_code == 503
    assert response.get_json()["type"] == "/problems/too-late"


def test_waiting_for_a_thread_counts(client: FlaskClient) -> None:
    def wait_and_ask(waited_s: float) -> TestResponse:
        deadline.count_from(time.monotonic() - waited_s)
        return client.get("/left")

    served = copy_context().run(wait_and_ask, 1.0)
    refused = copy_context().run(wait_and_ask, 3.0)

    assert 0 < served.get_json()["left_s"] <= 2.0
    assert refused.get_json()["type"] == "/problems/too-late"


@pytest.mark.parametrize("asked", ["", "-1", "1.5", "soon", "1234567", "٣"])
def test_anything_but_milliseconds_is_refused(client: FlaskClient, asked: str) -> None:
    assert client.get("/left", headers={deadline.HEADER: asked}).status_code == 400


def test_outside_of_a_request_there_is_the_edges_time() -> None:
    assert deadline.remaining_s() == deadline.EDGE_DEADLINE_S
