"""A shop that is open already can be brought up to date."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from common import migrations
from common.db import Database
from common.ids import new_id
from common.testing import PATIENCE
from notification.domain.messages import Kind, Message, Reason, State
from notification.store import messages

SERVICE = Path(__file__).parents[1]


@pytest.fixture
def old_database(database_url: str) -> Iterator[str]:
    """Another database of the same server, at version 1; its owner's URL."""
    name = "test_notification_old"
    owner = sa.make_url(database_url).set(username="postgres")
    server = sa.create_engine(owner, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with server.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
        connection.execute(
            sa.text(f"ALTER ROLE postgres IN DATABASE {name} SET search_path = notification")
        )
    url = owner.set(database=name).render_as_string(hide_password=False)
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE SCHEMA notification"))
    migrations.upgrade(url, [SERVICE], "0001")
    yield url
    engine.dispose()
    with server.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


def _insert(url: str, state: str, error: str | None, attempts: int) -> str:
    """An order's confirmation as version 1 kept it; the order's id."""
    engine, order_id = sa.create_engine(url, poolclass=sa.NullPool), new_id()
    with engine.begin() as tx:
        tx.execute(
            sa.text(
                "INSERT INTO messages (id, order_id, kind, recipient, subject, text, html, state,"
                " attempts, next_attempt_at, last_error, created_at, sent_at) VALUES (:id,"
                " :order_id, 'order_confirmation', 'ada@customer.example', 'Hello', 'Hello',"
                " '<p>', :state, :attempts, now(), :error, now(),"
                " CASE WHEN :state = 'sent' THEN now() END)"
            ),
            {
                "id": new_id(), "order_id": order_id, "state": state, "error": error,
                "attempts": attempts,
            },
        )  # fmt: skip
    engine.dispose()
    return order_id


def _upgraded(url: str, order_id: str) -> Message:
    migrations.upgrade(url, [SERVICE])
    db = Database(url, patience=PATIENCE)
    with db.transaction() as tx:
        (found,) = messages.of_order(tx, order_id)
    db.engine.dispose()
    return found


def test_a_message_of_before_keeps_its_message_id(old_database: str) -> None:
    order_id = _insert(old_database, "sent", None, 1)

    found = _upgraded(old_database, order_id)

    assert found.message_id == f"<{order_id}.order_confirmation@cartwright.example>"
    assert (found.state, found.first_sent_at) == (State.SENT, found.sent_at)


@pytest.mark.parametrize(
    ("error", "attempts", "reason"),
    [
        ("550 no such user", 5, Reason.REFUSED),
        ("451 later", 20, Reason.DEFERRED),
        ("the recipient is not an e-mail address", 0, Reason.NOT_AN_ADDRESS),
    ],
)
def test_what_failed_before_gets_its_reason(
    old_database: str, error: str, attempts: int, reason: Reason
) -> None:
    order_id = _insert(old_database, "failed", error, attempts)

    assert _upgraded(old_database, order_id).reason is reason


def test_an_order_that_has_its_mail_gets_no_second_one(old_database: str) -> None:
    order_id = _insert(old_database, "queued", None, 0)
    before = _upgraded(old_database, order_id)
    db = Database(old_database, patience=PATIENCE)

    again = Message(
        id=new_id(), kind=Kind.ORDER_CONFIRMATION, fact=order_id, order_id=order_id,
        recipient="ada@customer.example", subject="", text="", html="",
        created_at=before.created_at,
    )  # fmt: skip
    with db.transaction() as tx:
        added = messages.add(tx, again)
    db.engine.dispose()

    assert not added
