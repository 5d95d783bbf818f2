import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from common.db import Database
from common.events import Event
from common.ids import new_id
from common.testing import deliver, published
from notification import use_cases
from notification.clients import Mailer
from notification.domain import Message, State
from notification.worker import HANDLERS, MailServerUnavailable, send_due
from sqlalchemy import text

if TYPE_CHECKING:
    from conftest import FakeMailServer

EVENTS = Path(__file__).parents[1] / "contract" / "events"
TRACEPARENT = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"


def _confirmed(order_id: str, **changes: Any) -> Event:
    data = {
        "order_id": order_id,
        "customer_id": "customer-1",
        "email": "ada@customer.example",
        "total_minor": 1999,
        "currency": "USD",
        "lines": [
            {"sku": "MUG-1", "name": "Mug", "quantity": 2, "unit_price_minor": 700},
            {"sku": "TEA-2", "name": "Tea", "quantity": 1, "unit_price_minor": 599},
        ],
    }
    return Event("order.confirmed", order_id, data | changes)


def _cancelled(order_id: str, reason: str = "out_of_stock") -> Event:
    data = {
        "order_id": order_id,
        "customer_id": "customer-1",
        "email": "ada@customer.example",
        "reason": reason,
        "total_minor": 1999,
        "currency": "USD",
    }
    return Event("order.cancelled", order_id, data)


def _after(seconds: float) -> Callable[[], datetime]:
    """A clock that is ahead by so much."""
    return lambda: datetime.now(UTC) + timedelta(seconds=seconds)


def _message(db: Database, order_id: str) -> Message:
    with db.transaction() as tx:
        (message,) = use_cases.read_messages(tx, order_id)
        return message


def _bodies(mail: Any) -> tuple[str, str]:
    plain, html = mail.iter_parts()
    return plain.get_content(), html.get_content()


# --- What is written


def test_a_confirmation_lists_what_was_bought(
    db: Database, mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    order_id = new_id()

    deliver(db, HANDLERS, _confirmed(order_id))
    send_due(db, mailer)

    (mail,) = mail_server.mails
    assert mail["Subject"] == f"Your order {order_id} is confirmed"
    for body in _bodies(mail):
        for words in (order_id, "Mug", "14.00 USD", "Tea", "5.99 USD", "19.99 USD"):
            assert words in body


def test_a_cancellation_says_why(
    db: Database, mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    order_id = new_id()

    deliver(db, HANDLERS, _cancelled(order_id, "payment_declined"))
    send_due(db, mailer)

    (mail,) = mail_server.mails
    assert mail["Subject"] == f"Your order {order_id} is cancelled"
    for body in _bodies(mail):
        assert "Your payment was declined." in body
        assert "19.99 USD are not charged" in body


def test_a_products_name_is_text_in_html_too(db: Database) -> None:
    order_id = new_id()
    line = {"name": "<b>Mug</b> & Tea", "quantity": 1, "unit_price_minor": 1999}

    deliver(db, HANDLERS, _confirmed(order_id, lines=[line]))

    message = _message(db, order_id)
    assert "&lt;b&gt;Mug&lt;/b&gt; &amp; Tea" in message.html
    assert "<b>" not in message.html
    assert "<b>Mug</b> & Tea" in message.text


# --- Once


def test_an_order_gets_one_mail_of_each_kind(
    db: Database, mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    order_id = new_id()
    event = _confirmed(order_id)

    deliver(db, HANDLERS, event, event, _confirmed(order_id))
    send_due(db, mailer)
    deliver(db, HANDLERS, event, _confirmed(order_id))
    send_due(db, mailer)

    assert len(mail_server.mails) == 1
    assert [event.type for event in published(db)] == ["notification.sent"]


def test_a_mail_that_was_sent_is_told_in_its_own_trace(
    db: Database, mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    order_id = new_id()
    event = _confirmed(order_id)

    deliver(db, HANDLERS, Event(event.type, order_id, event.data, traceparent=TRACEPARENT))
    send_due(db, mailer)

    (sent,) = published(db)
    message_id = f"<{order_id}.order_confirmation@cartwright.example>"
    assert sent.subject == order_id
    assert sent.data == {
        "order_id": order_id,
        "kind": "order_confirmation",
        "message_id": message_id,
    }
    assert sent.traceparent
    assert sent.traceparent.split("-")[1] == TRACEPARENT.split("-")[1]
    assert mail_server.mails[0]["Message-ID"] == message_id


def test_a_crash_after_sending_sends_the_same_mail_again(
    db: Database, mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    order_id = new_id()
    deliver(db, HANDLERS, _confirmed(order_id))
    with db.transaction() as tx:
        (claimed,) = use_cases.claim_due(tx, datetime.now(UTC))
    mailer.send(claimed)  # And here the worker dies.

    assert send_due(db, mailer) == 0
    assert send_due(db, mailer, _after(use_cases.LEASE.total_seconds())) == 1

    first, second = mail_server.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Date"] == second["Date"]
    assert len(published(db)) == 1


def test_a_slow_worker_whose_mail_another_sent_meanwhile_tells_it_no_second_time(
    db: Database, mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    order_id = new_id()
    deliver(db, HANDLERS, _confirmed(order_id))
    with db.transaction() as tx:
        (claimed,) = use_cases.claim_due(tx, datetime.now(UTC))
    outcome = mailer.send(claimed)

    send_due(db, mailer, _after(use_cases.LEASE.total_seconds()))
    with db.transaction() as tx:
        use_cases.record_outcomes(tx, [claimed], {claimed.id: outcome}, datetime.now(UTC))

    assert len(published(db)) == 1
    assert _message(db, order_id).attempts == 1


# --- The mail server says no, or nothing


def test_a_refused_recipient_fails_after_five_attempts(
    db: Database, mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    order_id = new_id()
    mail_server.refused_recipients.add("ada@customer.example")
    deliver(db, HANDLERS, _confirmed(order_id))

    tried = [send_due(db, mailer, _after(60 * n)) for n in range(6)]

    assert tried == [1, 1, 1, 1, 1, 0]
    message = _message(db, order_id)
    assert (message.state, message.attempts) == (State.FAILED, 5)
    assert message.last_error == "550 5.1.1 No such user"
    assert published(db) == []


def test_a_refused_mail_does_not_hold_up_the_others(
    db: Database, mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    refused, taken = new_id(), new_id()
    mail_server.refused_recipients.add("nobody@customer.example")

    deliver(db, HANDLERS, _confirmed(refused, email="nobody@customer.example"))
    deliver(db, HANDLERS, _confirmed(taken))
    send_due(db, mailer)

    assert _message(db, refused).state is State.QUEUED
    assert _message(db, taken).state is State.SENT


def test_a_mail_is_sent_when_the_server_is_up_again(
    db: Database, mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    order_id = new_id()
    deliver(db, HANDLERS, _confirmed(order_id))
    mail_server.stop()

    for n in range(8):
        with pytest.raises(MailServerUnavailable):
            send_due(db, mailer, _after(60 * n))
    mail_server.start()
    send_due(db, mailer, _after(600))

    message = _message(db, order_id)
    assert (message.state, message.attempts) == (State.SENT, 1)
    assert len(mail_server.mails) == 1


def test_a_server_that_is_down_is_asked_once_a_batch(
    db: Database, mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    orders = [new_id() for _ in range(3)]
    deliver(db, HANDLERS, *(_confirmed(order_id) for order_id in orders))
    mail_server.stop()

    with pytest.raises(MailServerUnavailable):
        send_due(db, mailer)

    errors = [_message(db, order_id).last_error for order_id in orders]
    assert sorted(str(error) for error in errors) == ["ConnectionRefusedError", "None", "None"]


def test_a_mail_that_breaks_the_connection_lets_the_others_pass(
    db: Database, mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    poison, other = new_id(), new_id()
    deliver(db, HANDLERS, _confirmed(poison))
    deliver(db, HANDLERS, _confirmed(other))
    mail_server.replies = ["421 4.3.2 Goodbye"]

    with pytest.raises(MailServerUnavailable):
        send_due(db, mailer)
    assert send_due(db, mailer) == 1

    assert _message(db, poison).state is State.QUEUED
    assert _message(db, other).state is State.SENT


def test_a_slow_server_gets_no_new_mail_when_the_time_is_up(
    db: Database, mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    """Each look at the clock is four seconds later than the one before."""
    deliver(db, HANDLERS, *(_confirmed(new_id()) for _ in range(4)))
    start = datetime.now(UTC)
    ticks = iter(range(0, 100, 4))

    send_due(db, mailer, lambda: start + timedelta(seconds=next(ticks)))
    in_time = len(mail_server.mails)
    send_due(db, mailer, _after(60))

    assert in_time == 2
    assert len(mail_server.mails) == 4


def test_what_is_no_address_fails_at_once_and_is_visible(
    db: Database, mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    order_id = new_id()

    outcome = deliver(
        db, HANDLERS, _confirmed(order_id, email="ada@customer.example, eve@evil.example")
    )

    assert outcome.dead == []
    assert send_due(db, mailer) == 0
    assert _message(db, order_id).state is State.FAILED
    assert mail_server.mails == []


def test_no_transaction_is_open_while_the_mail_server_is_spoken_to(
    database_url: str, db: Database, mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    observer = Database(database_url, pool_size=1)

    def open_transactions() -> int:
        with observer.transaction() as tx:
            count: int = tx.execute(
                text(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
                )
            ).scalar_one()
            return count

    seen: list[int] = []
    mail_server.on_mail = lambda: seen.append(open_transactions())
    deliver(db, HANDLERS, _confirmed(new_id()), _confirmed(new_id()))

    send_due(db, mailer)
    with db.transaction() as tx:
        tx.execute(text("SELECT 1"))
        seen_when_there_is_one = open_transactions()
    observer.engine.dispose()

    assert seen == [0, 0]
    assert seen_when_there_is_one == 1


# --- What is malformed, and the contract


@pytest.mark.parametrize(
    "fault",
    [{"lines": []}, {"email": ""}, {"total_minor": "1999"}, {"order_id": "x"}, {"currency": "$"}],
)
def test_a_malformed_event_is_dead_lettered_without_its_content(
    db: Database, fault: dict[str, Any]
) -> None:
    event = _confirmed(new_id())
    event.data.update(fault)

    outcome = deliver(db, HANDLERS, event, receives=5)

    ((_, reason),) = outcome.dead
    assert reason.startswith("MalformedEvent")
    assert "ada@" not in reason


def test_what_is_published_is_what_the_contract_says(
    db: Database, mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    deliver(db, HANDLERS, _cancelled(new_id()))
    send_due(db, mailer)

    (sent,) = published(db)
    schema = json.loads((EVENTS / f"{sent.type}.v1.json").read_text())
    assert [path.name for path in EVENTS.iterdir()] == ["notification.sent.v1.json"]
    assert sent.data.keys() == schema["properties"].keys() == set(schema["required"])
    assert sent.data["kind"] in schema["properties"]["kind"]["enum"]
