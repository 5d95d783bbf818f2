from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from common.db import Database
from common.events import Event
from common.ids import new_id
from common.testing import deliver
from notification.clients import Mailer
from notification.domain.messages import Kind, Message, Reason, State
from notification.domain.preferences import Choice, Language
from notification.store.messages import LOOP
from notification.use_cases import mail_choice, views
from notification.worker import HANDLERS, send_due

if TYPE_CHECKING:
    from conftest import FakeMailServer, News

ADA = "ada@customer.example"


def _message(db: Database, order_id: str, kind: Kind | None = None) -> Message:
    with db.transaction() as tx:
        found = views.read_messages(tx, order_id)
    (message,) = [message for message in found if kind in {None, message.kind}]
    return message


def _choose(db: Database, choice: Choice, customer_id: str = "customer-1") -> None:
    with db.transaction() as tx:
        mail_choice.choose(tx, customer_id, choice, None)


def test_only_a_mail_to_be_sent_wakes_the_loop_that_sends(db: Database, news: "News") -> None:
    woken: list[str] = []
    db.wakers = {LOOP: lambda: woken.append(LOOP)}
    told = news.confirmed()

    news.heard(told)
    news.heard(told)
    news.heard_unpromised(news.confirmed(email="nobody"))

    assert woken == [LOOP]


# --- What is written, to whom


def test_each_event_makes_its_mail(
    db: Database, news: "News", mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    order_id = new_id()
    registered = news.registered()

    news.heard(
        registered, news.action_required(), news.confirmed(order_id), news.refunded(order_id),
        news.cancelled(),
    )  # fmt: skip
    send_due(db, mailer)

    mails = {mail["X-Message-Kind"]: mail for mail in mail_server.mails}
    assert mails.keys() == set(Kind)
    assert {str(mail["To"]) for mail in mail_server.mails} == {ADA}
    assert mails["order_confirmation"]["X-Order-Id"] == order_id
    assert mails["welcome"]["X-Order-Id"] is None
    assert mails["welcome"]["Message-ID"] == f"<{registered.subject}.welcome@cartwright.example>"


def test_a_confirmation_lists_what_was_bought_and_what_the_total_is_made_of(
    news: "News",
) -> None:
    sums = {"subtotal_minor": 1999, "shipping_minor": 650, "tax_minor": 160}
    news.heard(news.confirmed(**sums, total_minor=2809))

    message = news.message()
    for words in ("Mug", "14.00 USD", "Tea", "5.99 USD", "6.50 USD", "1.60 USD", "28.09 USD"):
        assert words in (message.text or "")
        assert words in (message.html or "")


def test_the_language_is_the_customers_own(db: Database, news: "News") -> None:
    _choose(db, Choice(Language.ES))

    news.heard(news.confirmed(language="en"), news.confirmed(customer_id="guest-1"))

    own, guests = news.messages()
    assert (own.language, own.subject.split()[0]) == (Language.ES, "Tu")
    assert (guests.language, guests.subject.split()[0]) == (Language.EN, "Your")


def test_the_language_is_the_events_for_whoever_never_chose(news: "News") -> None:
    news.heard(news.registered(language="es"), news.registered(language="tlh"))

    assert [message.language for message in news.messages()] == [Language.ES, Language.EN]


def test_a_cancellation_that_one_asked_for_can_be_turned_off(
    db: Database, news: "News", mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    _choose(db, Choice(requested_cancellations=False))

    news.heard(
        news.cancelled(reason="customer_cancelled"), news.cancelled(reason="payment_declined")
    )
    send_due(db, mailer)

    own, the_shops = news.messages()
    assert (own.state, own.reason) == (State.SUPPRESSED, Reason.PREFERENCE)
    assert the_shops.state is State.SENT
    assert len(mail_server.mails) == 1


def test_nobody_is_asked_to_confirm_what_is_decided(
    db: Database, news: "News", mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    early, late = new_id(), new_id()

    news.heard(news.action_required(early))
    news.heard(news.cancelled(early), news.confirmed(late))
    news.heard(news.action_required(late))
    send_due(db, mailer)

    asked = [_message(db, order_id, Kind.ACTION_REQUIRED) for order_id in (early, late)]
    assert {message.reason for message in asked} == {Reason.OVERTAKEN}
    assert sorted(mail["X-Message-Kind"] for mail in mail_server.mails) == [
        "order_cancellation", "order_confirmation",
    ]  # fmt: skip


def test_a_question_that_was_written_down_while_its_order_was_decided_is_not_asked(
    db: Database, news: "News", mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    """Two workers, neither of which sees yet what the other writes."""
    order_id = new_id()
    asking, deciding = news.action_required(order_id), news.confirmed(order_id)

    with db.transaction() as one, db.transaction() as other:
        HANDLERS[deciding.type](one, deciding)
        HANDLERS[asking.type](other, asking)
    send_due(db, mailer)

    question = _message(db, order_id, Kind.ACTION_REQUIRED)
    assert (question.state, question.reason) == (State.SUPPRESSED, Reason.OVERTAKEN)
    assert [mail["X-Message-Kind"] for mail in mail_server.mails] == ["order_confirmation"]


# --- What is malformed, and the contract


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("confirmed", {"lines": []}),
        ("confirmed", {"email": ""}),
        ("confirmed", {"total_minor": "1999"}),
        ("confirmed", {"order_id": "x"}),
        ("confirmed", {"currency": "$"}),
        ("confirmed", {"customer_id": "two words"}),
        ("action_required", {"action_url": "javascript:alert(1)"}),
        ("action_required", {"action_url": "https://bank.example@evil.example/"}),
        ("refunded", {"refund_id": "re_1>@evil.example"}),
        ("refunded", {"refund_id": "re 1\r\nBcc: eve@evil.example"}),
        ("refunded", {"return_id": "x"}),
        ("registered", {"customer_id": "x"}),
        ("registered", {"name": "Ada\x00"}),
    ],
)
def test_a_malformed_event_is_dead_lettered_without_its_content(
    db: Database, news: "News", kind: str, fault: dict[str, Any]
) -> None:
    event: Event = getattr(news, kind)()
    event.data.update(fault)

    outcome = deliver(db, HANDLERS, event, receives=5)

    ((_, reason),) = outcome.dead
    assert reason.startswith("ValidationError")
    assert "ada@" not in reason
    assert "evil" not in reason


def test_members_that_we_do_not_know_are_no_fault(db: Database, news: "News") -> None:
    outcome = deliver(db, HANDLERS, news.confirmed(gift_wrap=True, language=None))

    assert (outcome.dead, outcome.left) == ([], [])
    assert news.message().state is State.QUEUED


def test_what_is_published_has_a_schema(db: Database) -> None:
    events = Path(__file__).parents[1] / "contract" / "events"

    assert sorted(path.name for path in events.iterdir()) == [
        "notification.failed.v1.json",
        "notification.sent.v1.json",
    ]
