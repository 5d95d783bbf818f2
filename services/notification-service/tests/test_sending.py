"""What becomes of a mail between the queue and the mail server."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from common.db import Database
from common.testing import PATIENCE, deliver, published
from notification.clients import Mailer
from notification.domain.messages import Reason, State
from notification.store import suppressions
from notification.use_cases import mail_delivery
from notification.worker import HANDLERS, MailServerUnavailable, send_due
from sqlalchemy import text

if TYPE_CHECKING:
    from conftest import FakeMailServer, News

ADA = "ada@customer.example"
TRACEPARENT = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"


def _after(seconds: float) -> Callable[[], datetime]:
    """A clock that is ahead by so much."""
    return lambda: datetime.now(UTC) + timedelta(seconds=seconds)


def _fail(db: Database, mailer: Mailer) -> None:
    """Five times no."""
    for n in range(5):
        send_due(db, mailer, _after(60 * n))


def _types(db: Database) -> list[str]:
    return [event.type for event in published(db)]


# --- The mail server says no, or nothing


def test_a_refused_recipient_fails_after_five_attempts_and_is_told(
    db: Database, news: "News", mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    mail_server.refused_recipients.add(ADA)
    news.heard(replace(news.confirmed(), traceparent=TRACEPARENT))

    tried = [send_due(db, mailer, _after(60 * n)) for n in range(6)]

    assert tried == [1, 1, 1, 1, 1, 0]
    message = news.message()
    assert (message.state, message.reason) == (State.FAILED, Reason.REFUSED)
    assert (message.attempts, message.last_error) == (5, "550 5.1.1 No such user")
    (failed,) = published(db)
    assert (failed.type, failed.subject) == ("notification.failed", message.order_id)
    assert failed.data == {
        "id": message.id,
        "kind": "order_confirmation",
        "reason": "refused",
        "order_id": message.order_id,
        "customer_id": "customer-1",
    }
    assert failed.traceparent
    assert failed.traceparent.split("-")[1] == TRACEPARENT.split("-")[1]


def test_an_address_refused_for_good_is_not_tried_again(
    db: Database, news: "News", mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    mail_server.refused_recipients.add(ADA)
    news.heard(news.confirmed())
    _fail(db, mailer)
    mail_server.refused_recipients.clear()

    news.heard(news.confirmed(email="Ada@Customer.Example"), news.confirmed(email="bob@x.example"))
    send_due(db, mailer)

    _, held_back, to_bob = news.messages()
    assert (held_back.state, held_back.reason) == (State.SUPPRESSED, Reason.ADDRESS_SUPPRESSED)
    assert held_back.attempts == 0
    assert to_bob.state is State.SENT
    assert [str(mail["To"]) for mail in mail_server.mails] == ["bob@x.example"]
    assert sorted(_types(db)) == ["notification.failed", "notification.failed", "notification.sent"]


def test_an_address_is_written_to_as_mail_servers_take_it(
    db: Database, news: "News", mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    """Whoever told it otherwise."""
    news.heard(news.confirmed(email="info@müller.example"))
    send_due(db, mailer)

    assert [str(mail["To"]) for mail in mail_server.mails] == ["info@xn--mller-kva.example"]


def test_what_is_queued_when_its_address_is_suppressed_is_held_back(
    db: Database, news: "News", mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    mail_server.refused_recipients.add(ADA)
    news.heard(news.confirmed(), news.confirmed())

    with db.transaction() as tx:
        (first, _) = mail_delivery.claim_due(tx, datetime.now(UTC))
        doomed = replace(first, attempts=4, refusals=4)
        mail_delivery.record_outcomes(
            tx, [doomed], {first.id: mailer.send(first)}, datetime.now(UTC)
        )
    send_due(db, mailer, _after(60))

    assert [message.reason for message in news.messages()] == [
        Reason.REFUSED, Reason.ADDRESS_SUPPRESSED,
    ]  # fmt: skip


@pytest.mark.parametrize("reply", ["552 5.2.2 Mailbox full", "550 5.7.1 Not from you", "554 No"])
def test_a_refusal_that_is_no_fault_of_the_address_suppresses_nothing(
    db: Database, news: "News", mail_server: "FakeMailServer", mailer: Mailer, reply: str
) -> None:
    mail_server.refused_recipients.add(ADA)
    mail_server.refusal = reply
    news.heard(news.confirmed())

    _fail(db, mailer)

    with db.transaction() as tx:
        assert suppressions.among(tx, [ADA]) == set()
    assert news.message().reason is Reason.REFUSED


def test_a_refused_mail_does_not_hold_up_the_others(
    db: Database, news: "News", mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    mail_server.refused_recipients.add("nobody@customer.example")

    news.heard(news.confirmed(email="nobody@customer.example"), news.confirmed())
    send_due(db, mailer)

    assert [message.state for message in news.messages()] == [State.QUEUED, State.SENT]


def test_a_mail_is_sent_when_the_server_is_up_again(
    db: Database, news: "News", mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    news.heard(news.confirmed())
    mail_server.stop()

    for n in range(8):
        with pytest.raises(MailServerUnavailable):
            send_due(db, mailer, _after(60 * n))
    mail_server.start()
    send_due(db, mailer, _after(600))

    message = news.message()
    assert (message.state, message.attempts) == (State.SENT, 1)
    assert len(mail_server.mails) == 1


def test_a_server_that_is_down_is_asked_once_a_batch(
    db: Database, news: "News", mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    news.heard(*(news.confirmed() for _ in range(3)))
    mail_server.stop()

    with pytest.raises(MailServerUnavailable):
        send_due(db, mailer)

    errors = sorted(str(message.last_error) for message in news.messages())
    assert errors == ["ConnectionRefusedError", "None", "None"]


def test_a_mail_that_breaks_the_connection_lets_the_others_pass(
    db: Database, news: "News", mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    news.heard(news.confirmed())
    news.heard(news.confirmed())
    mail_server.replies = ["421 4.3.2 Goodbye"]

    with pytest.raises(MailServerUnavailable):
        send_due(db, mailer)
    assert send_due(db, mailer) == 1

    assert [message.state for message in news.messages()] == [State.QUEUED, State.SENT]


def test_a_slow_server_gets_no_new_mail_when_the_time_is_up(
    db: Database, news: "News", mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    """Each look at the clock is two thirds of the time later than the one before."""
    news.heard(*(news.confirmed() for _ in range(4)))
    start = datetime.now(UTC)
    ticks = itertools.count()

    send_due(db, mailer, lambda: start + next(ticks) * mail_delivery.SENDING_BUDGET * 2 / 3)
    in_time = len(mail_server.mails)
    send_due(db, mailer, _after(60))

    assert in_time == 2
    assert len(mail_server.mails) == 4


def test_what_is_no_address_fails_at_once_and_is_visible(
    db: Database, news: "News", mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    event = news.confirmed(email="ada@customer.example, eve@evil.example")

    outcome = deliver(db, HANDLERS, event)

    assert outcome.dead == []
    assert send_due(db, mailer) == 0
    assert (news.message().state, news.message().reason) == (State.FAILED, Reason.NOT_AN_ADDRESS)
    assert mail_server.mails == []
    assert _types(db) == ["notification.failed"]


def test_a_welcome_that_failed_is_told_by_its_customer(db: Database, news: "News") -> None:
    event = news.registered(email="nobody")

    news.heard_unpromised(event)

    (failed,) = published(db)
    assert (failed.subject, failed.data["order_id"]) == (event.subject, None)
    assert failed.data["customer_id"] == event.subject


def test_no_transaction_is_open_while_the_mail_server_is_spoken_to(
    database_url: str, db: Database, news: "News", mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    observer = Database(database_url, pool_size=1, patience=PATIENCE)

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
    news.heard(news.confirmed(), news.confirmed())

    send_due(db, mailer)
    with db.transaction() as tx:
        tx.execute(text("SELECT 1"))
        seen_when_there_is_one = open_transactions()
    observer.engine.dispose()

    assert seen == [0, 0]
    assert seen_when_there_is_one == 1
