"""Whoever follows a problem's type reads what it means and what to do."""

import re
from pathlib import Path

import pytest
from common import app as application
from common.problem_pages import TEXTS
from common.settings import ServiceSettings
from common.testing import JWT_SECRET
from common.testing.contracts import REPOSITORY
from flask.testing import FlaskClient
from pydantic import SecretStr

NAMES = sorted(text.stem for text in TEXTS.glob("*.md"))


CONTRACTS = sorted(REPOSITORY.glob("services/*-service/contract/openapi.yaml"))


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    settings = ServiceSettings(database_url=SecretStr("x"), jwt_secret=SecretStr(JWT_SECRET))
    return application.create_app("probe", settings, [], {}).test_client()


@pytest.mark.parametrize("name", NAMES)
def test_each_problem_has_a_page_that_says_what_to_do(client: FlaskClient, name: str) -> None:
    page = client.get(f"/problems/{name}")

    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert re.search(rf"<p>Type <code>/problems/{name}</code> · status [45]\d\d · ", page.text)
    assert "<p><strong>When.</strong> " in page.text
    assert "<p><strong>What to do.</strong> " in page.text
    assert re.search(r"\*\*|`|\]\(", page.text) is None, "Markdown that the page does not know"


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda path: path.parts[-3])
def test_each_type_that_a_contract_names_leads_to_a_page(
    client: FlaskClient, contract: Path
) -> None:
    types = set(re.findall(r"/problems/[a-z-]+", contract.read_text(encoding="utf-8")))

    assert "/problems/malformed" in types
    assert [type_ for type_ in types if client.get(type_).status_code != 200] == []


def test_the_page_of_a_problem_runs_and_loads_nothing(client: FlaskClient) -> None:
    policy = client.get("/problems/malformed").headers["Content-Security-Policy"]

    assert policy == "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


@pytest.mark.parametrize("name", ["no-such-problem", "malformed.md", "..", "%2e%2e%2fapp"])
def test_an_unknown_problem_is_not_found(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/problems/{name}")

    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
