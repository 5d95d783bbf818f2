"""Staff have a mail sent again; what is kept of it, and what is told to nobody."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from common import consumer
from common.db import Database
from common.testing import published
from notification.clients import Mailer
from notification.domain.messages import State
from notification.use_cases import figures, mail_delivery, queue, views
from notification.worker import send_due, sweep
from structlog.testing import capture_logs

if TYPE_CHECKING:
    from conftest import FakeMailServer, News

ADA = "ada@customer.example"


def _after(seconds: float) -> Callable[[], datetime]:
    """A clock that is ahead by so much."""
    return lambda: datetime.now(UTC) + timedelta(seconds=seconds)


def _fail(db: Database, mailer: Mailer) -> None:
    """Five times no."""
    for n in range(5):
        send_due(db, mailer, _after(60 * n))


def _bodies(mail: Any) -> list[str]:
    return [part.get_content() for part in mail.iter_parts()]


def _types(db: Database) -> list[str]:
    return [event.type for event in published(db)]


# --- Staff send it again


def test_a_resend_is_the_same_mail_and_is_told_once(
    db: Database, news: "News", mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    news.heard(news.confirmed())
    send_due(db, mailer)

    with db.transaction() as tx:
        views.resend(tx, news.message().id, datetime.now(UTC))
    send_due(db, mailer)

    first, second = mail_server.mails
    assert [item for item in first.items() if item[0] != "Content-Type"] == [
        item for item in second.items() if item[0] != "Content-Type"
    ]  # But for the boundary between its parts, which is random.
    assert _bodies(first) == _bodies(second)
    assert (news.message().state, news.message().resends) == (State.SENT, 1)
    assert _types(db) == ["notification.sent"]


def test_a_failed_mail_that_is_resent_has_all_its_attempts_again(
    db: Database, news: "News", mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    mail_server.refused_recipients.add(ADA)
    mail_server.refusal = "552 5.2.2 Mailbox full"
    news.heard(news.confirmed())
    _fail(db, mailer)

    with db.transaction() as tx:
        views.resend(tx, news.message().id, datetime.now(UTC))
    tried = [send_due(db, mailer, _after(60 * n)) for n in range(6)]

    assert tried == [1, 1, 1, 1, 1, 0]
    assert _types(db) == ["notification.failed", "notification.failed"]


# --- What is kept, and what is told to nobody


def test_bodies_are_forgotten_after_ninety_days(
    db: Database, news: "News", mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    news.heard(news.confirmed())
    send_due(db, mailer)
    day = 24 * 3600

    assert sweep(db, _after(89 * day)) == 0
    assert sweep(db, _after(91 * day)) == 1

    assert (news.message().text, news.message().html) == (None, None)


def test_no_address_is_logged_whatever_the_server_says(
    db: Database,
    news: "News",
    mail_server: "FakeMailServer",
    mailer: Mailer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (consumer, figures, queue, mail_delivery):
        # A logger that was used before is bound to the processors of that time for good.
        monkeypatch.setattr(module, "log", structlog.get_logger())
    mail_server.refused_recipients.add(ADA)
    mail_server.refusal = f"550 5.1.1 <{ADA}>: Ada Lovelace has left"

    with capture_logs() as logs:
        news.heard_unpromised(news.confirmed(), news.confirmed(email="nobody at customer.example"))
        _fail(db, mailer)
        news.heard(news.confirmed())
        send_due(db, mailer)

    assert {log["event"] for log in logs} >= {"mail_not_sent", "mail_failed", "address_suppressed"}
    assert "customer.example" not in str(logs).lower()
    assert "lovelace" not in str(logs).lower()
