"""One mail a fact, however often and by however many at once it is heard or sent."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from common.db import Database
from common.events import Event
from common.ids import new_id
from common.testing import PATIENCE, deliver, published
from notification.clients import Mailer
from notification.use_cases import mail_delivery
from notification.worker import HANDLERS, send_due

if TYPE_CHECKING:
    from conftest import FakeMailServer, News

TRACEPARENT = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"


def _after(seconds: float) -> Callable[[], datetime]:
    """A clock that is ahead by so much."""
    return lambda: datetime.now(UTC) + timedelta(seconds=seconds)


def _types(db: Database) -> list[str]:
    return [event.type for event in published(db)]


def test_an_order_gets_one_mail_of_each_kind(
    db: Database, news: "News", mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    order_id = new_id()
    event = news.confirmed(order_id)

    news.heard(event, event, news.confirmed(order_id))
    send_due(db, mailer)
    news.heard(event, news.confirmed(order_id))
    send_due(db, mailer)

    assert len(mail_server.mails) == 1
    assert _types(db) == ["notification.sent"]


def test_two_refunds_of_an_order_make_two_mails_and_each_again_makes_none(
    db: Database, news: "News", mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    order_id = new_id()

    news.heard(news.refunded(order_id, return_id=new_id()))
    news.heard(news.refunded(order_id, refund_id="re_2", amount_minor=700))
    news.heard(news.refunded(order_id), news.refunded(order_id, refund_id="re_2"))
    send_due(db, mailer)

    bodies = [str(next(mail.iter_parts()).get_content()) for mail in mail_server.mails]
    assert sorted("5.00 USD" in body for body in bodies) == [False, True]
    assert len({mail["Message-ID"] for mail in mail_server.mails}) == len(bodies) == 2


@pytest.mark.parametrize("is_same_event", [True, False])
def test_one_fact_heard_by_twenty_workers_at_once_is_one_mail(
    database_url: str,
    db: Database,
    news: "News",
    mail_server: "FakeMailServer",
    mailer: Mailer,
    *,
    is_same_event: bool,
) -> None:
    order_id, barrier = new_id(), threading.Barrier(20)
    events = [news.confirmed(order_id) for _ in range(20)]
    wide, left = Database(database_url, pool_size=20, patience=PATIENCE), []

    def hear(event: Event) -> None:
        barrier.wait()
        left.extend(deliver(wide, HANDLERS, event).left)

    threads = [
        threading.Thread(target=hear, args=(events[0] if is_same_event else event,))
        for event in events
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wide.engine.dispose()
    send_due(db, mailer)

    assert left == []
    assert len(mail_server.mails) == 1
    assert _types(db) == ["notification.sent"]


def test_workers_that_send_at_once_send_each_mail_once(
    db: Database, news: "News", mail_server: "FakeMailServer"
) -> None:
    news.heard(*(news.confirmed() for _ in range(60)))
    barrier = threading.Barrier(4)

    def work() -> None:
        mailer = Mailer("127.0.0.1", mail_server.port, "orders@cartwright.example")
        barrier.wait()
        while send_due(db, mailer):
            continue
        mailer.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    ids = [mail["Message-ID"] for mail in mail_server.mails]
    assert (len(ids), len(set(ids))) == (60, 60)
    assert _types(db) == ["notification.sent"] * 60


def test_a_mail_that_was_sent_is_told_in_its_own_trace(
    db: Database, news: "News", mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    order_id = new_id()

    news.heard(replace(news.confirmed(order_id), traceparent=TRACEPARENT))
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
    db: Database, news: "News", mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    news.heard(news.confirmed())
    with db.transaction() as tx:
        (claimed,) = mail_delivery.claim_due(tx, datetime.now(UTC))
    mailer.send(claimed)  # And here the worker dies.

    assert send_due(db, mailer) == 0
    assert send_due(db, mailer, _after(mail_delivery.LEASE.total_seconds())) == 1

    first, second = mail_server.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Date"] == second["Date"]
    assert len(published(db)) == 1


def test_a_slow_worker_whose_mail_another_sent_meanwhile_tells_it_no_second_time(
    db: Database, news: "News", mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    news.heard(news.confirmed())
    with db.transaction() as tx:
        (claimed,) = mail_delivery.claim_due(tx, datetime.now(UTC))
    outcome = mailer.send(claimed)

    send_due(db, mailer, _after(mail_delivery.LEASE.total_seconds()))
    with db.transaction() as tx:
        mail_delivery.record_outcomes(tx, [claimed], {claimed.id: outcome}, datetime.now(UTC))

    assert len(published(db)) == 1
    assert news.message().attempts == 1
