"""What customers choose, over HTTP."""

import threading
from typing import TYPE_CHECKING, Any

import pytest
from common.auth import Role
from common.db import Database
from common.testing import bearer, deliver
from flask import Flask
from flask.testing import FlaskClient
from notification.worker import HANDLERS

if TYPE_CHECKING:
    from conftest import News

ADA = "ada@customer.example"
STAFF = bearer(Role.STAFF, "staff-1")
CUSTOMER = bearer(Role.CUSTOMER, "customer-1")
ENGLISH = {"language": "en", "mails": {"requested_cancellations": True}}
SPANISH = {"language": "es", "mails": {"requested_cancellations": False}}


def _type(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["type"]


# --- Preferences


def test_who_never_chose_gets_everything_in_english(client: FlaskClient) -> None:
    answer = client.get("/preferences", headers=CUSTOMER)

    assert answer.json == ENGLISH
    assert answer.headers["ETag"] == '"0"'


def test_what_is_chosen_holds_for_mails_from_now_on(
    db: Database, client: FlaskClient, news: "News"
) -> None:
    news.heard(news.confirmed())

    chosen = client.put("/preferences", json=SPANISH, headers=CUSTOMER | {"If-Match": '"0"'})
    deliver(db, HANDLERS, news.confirmed(), news.cancelled(reason="customer_cancelled"))

    before, after, declined = news.messages()
    assert (chosen.json, chosen.headers["ETag"]) == (SPANISH, '"1"')
    assert client.get("/preferences", headers=CUSTOMER).json == SPANISH
    assert (before.language, after.language) == ("en", "es")
    assert declined.reason == "preference"


def test_preferences_are_ones_own(client: FlaskClient) -> None:
    client.put("/preferences", json=SPANISH, headers=CUSTOMER | {"If-Match": "*"})

    others = client.get("/preferences", headers=bearer(Role.CUSTOMER, "customer-2"))

    assert others.json == ENGLISH


@pytest.mark.parametrize("role", [Role.GUEST, Role.STAFF, Role.SERVICE])
def test_only_customers_have_preferences(client: FlaskClient, role: Role) -> None:
    headers = bearer(role, "somebody") | {"If-Match": "*"}

    assert client.get("/preferences", headers=headers).status_code == 403
    assert client.put("/preferences", json=SPANISH, headers=headers).status_code == 403
    assert client.get("/preferences").status_code == 401


def test_a_choice_that_knows_another_version_is_refused(client: FlaskClient) -> None:
    client.put("/preferences", json=SPANISH, headers=CUSTOMER | {"If-Match": '"0"'})

    late = client.put("/preferences", json=ENGLISH, headers=CUSTOMER | {"If-Match": '"0"'})
    blind = client.put("/preferences", json=ENGLISH, headers=CUSTOMER)

    assert _type(late) == (412, "/problems/version-mismatch")
    assert _type(blind) == (428, "/problems/if-match-required")
    assert client.get("/preferences", headers=CUSTOMER).json == SPANISH


def test_a_refused_first_choice_leaves_nothing(client: FlaskClient) -> None:
    refused = client.put("/preferences", json=SPANISH, headers=CUSTOMER | {"If-Match": '"7"'})

    assert refused.status_code == 412
    assert client.get("/preferences", headers=CUSTOMER).headers["ETag"] == '"0"'


@pytest.mark.parametrize("version", [0, 1])
def test_of_eight_who_know_the_same_version_one_chooses(
    app: Flask, client: FlaskClient, version: int
) -> None:
    """For the first time there is no row to lock, for the second there is."""
    if version:
        client.put("/preferences", json=ENGLISH, headers=CUSTOMER | {"If-Match": '"0"'})
    known, barrier, statuses = {"If-Match": f'"{version}"'}, threading.Barrier(8), []

    def choose() -> None:
        client = app.test_client()
        barrier.wait()
        answer = client.put("/preferences", json=SPANISH, headers=CUSTOMER | known)
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=choose) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [200] + [412] * 7


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"language": "fr", "mails": {"requested_cancellations": True}}, 400),
        ({"language": "es"}, 400),
        ({"language": "es", "mails": {"requested_cancellations": "yes"}}, 400),
        (SPANISH | {"customer_id": "customer-2"}, 400),
        (SPANISH | {"language": "e" * 5000}, 413),
    ],
)
def test_a_malformed_choice_is_refused(
    client: FlaskClient, body: dict[str, Any], status: int
) -> None:
    answer = client.put("/preferences", json=body, headers=CUSTOMER | {"If-Match": "*"})

    assert answer.status_code == status
