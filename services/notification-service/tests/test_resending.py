"""Staff have mails sent again, and addresses written to again."""

import threading
from typing import TYPE_CHECKING, Any

from common.auth import Role
from common.db import Database
from common.ids import new_id
from common.testing import bearer, published
from flask import Flask
from flask.testing import FlaskClient
from notification.clients import Mailer
from notification.worker import send_due
from sqlalchemy import text

if TYPE_CHECKING:
    from conftest import FakeMailServer, News

ADA = "ada@customer.example"
STAFF = bearer(Role.STAFF, "staff-1")


def _resend(client: FlaskClient, message_id: str, key: str = "key-1") -> Any:
    headers = STAFF | {"Idempotency-Key": key}
    return client.post(f"/messages/{message_id}/resend", headers=headers)


def _type(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["type"]


# --- Resending


def test_a_resent_message_is_queued_as_if_new(
    db: Database, client: FlaskClient, news: "News", refused: str
) -> None:
    with db.transaction() as tx:
        tx.execute(text("DELETE FROM suppressions"))

    answer = _resend(client, refused)

    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/messages/{refused}"
    again = {name: answer.json[name] for name in ("state", "reason", "attempts", "last_error")}
    assert again == {"state": "queued", "reason": None, "attempts": 0, "last_error": None}
    assert answer.json["resends"] == 1


def test_the_same_key_resends_once(
    db: Database, client: FlaskClient, news: "News", mailer: Mailer, mail_server: "FakeMailServer"
) -> None:
    news.heard(news.confirmed())
    send_due(db, mailer)
    message_id = news.message().id

    first, second = _resend(client, message_id), _resend(client, message_id)
    send_due(db, mailer)
    third = _resend(client, message_id)

    assert first.data == second.data == third.data
    assert len(mail_server.mails) == 2


def test_eight_who_resend_at_once_resend_once(
    app: Flask, db: Database, news: "News", mailer: Mailer, mail_server: "FakeMailServer"
) -> None:
    news.heard(news.confirmed())
    send_due(db, mailer)
    message_id, barrier, statuses = news.message().id, threading.Barrier(8), []

    def resend(number: int) -> None:
        client = app.test_client()
        barrier.wait()
        statuses.append(_resend(client, message_id, f"key-{number}").status_code)

    threads = [threading.Thread(target=resend, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    send_due(db, mailer)

    assert sorted(statuses) == [202] + [409] * 7
    assert len(mail_server.mails) == 2


def test_a_resend_says_why_not(client: FlaskClient, news: "News", refused: str) -> None:
    news.heard(news.confirmed(email="bob@customer.example"))
    news.heard_unpromised(news.confirmed(email="nobody"))
    _, queued, no_address = (message.id for message in news.messages())

    assert _type(_resend(client, refused)) == (409, "/problems/address-suppressed")
    assert _type(_resend(client, queued)) == (409, "/problems/not-resendable")
    assert _type(_resend(client, no_address)) == (409, "/problems/not-resendable")
    assert _type(_resend(client, new_id())) == (404, "/problems/message-not-found")


def test_a_resend_needs_a_key_and_another_message_another_one(
    db: Database, client: FlaskClient, news: "News", mailer: Mailer
) -> None:
    news.heard(news.confirmed(), news.confirmed())
    send_due(db, mailer)
    first, second = (message.id for message in news.messages())

    _resend(client, first)

    assert _type(_resend(client, second)) == (422, "/problems/idempotency-key-reused")
    without = client.post(f"/messages/{second}/resend", headers=STAFF)
    assert _type(without) == (400, "/problems/idempotency-key-missing")


# --- Suppressions


def test_a_lifted_address_is_written_to_again(
    db: Database,
    client: FlaskClient,
    news: "News",
    refused: str,
    mailer: Mailer,
    mail_server: "FakeMailServer",
) -> None:
    listed = client.get(f"/suppressions?address={ADA.upper()}", headers=STAFF).json
    assert listed
    (found,) = listed["items"]

    lifted = client.delete(f"/suppressions/{found['id']}", headers=STAFF)
    news.heard(news.confirmed())
    _resend(client, refused)
    send_due(db, mailer)

    assert (found["address"], found["message_id"]) == (ADA, refused)
    assert found["error"] == "550 5.1.1 No such user"
    assert (lifted.status_code, lifted.data) == (204, b"")
    assert len(mail_server.mails) == 2
    assert [event.type for event in published(db)] == [
        "notification.failed", "notification.sent", "notification.sent",
    ]  # fmt: skip


def test_a_suppression_is_lifted_once(client: FlaskClient, refused: str) -> None:
    listed = client.get("/suppressions", headers=STAFF).json
    assert listed
    path = f"/suppressions/{listed['items'][0]['id']}"

    assert client.delete(path, headers=STAFF).status_code == 204
    assert _type(client.delete(path, headers=STAFF)) == (404, "/problems/suppression-not-found")
    assert client.get("/suppressions", headers=STAFF).json == {"items": [], "next_cursor": None}
