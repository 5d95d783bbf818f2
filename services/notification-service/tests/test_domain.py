from datetime import UTC, datetime, timedelta

import pytest
from common.money import Money
from notification import domain
from notification.domain import BoughtLine, Kind, Message, Refused, State, Unanswered

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def _message(attempts: int = 0) -> Message:
    return Message(
        id="message-1",
        order_id="order-1",
        kind=Kind.ORDER_CONFIRMATION,
        recipient="ada@customer.example",
        subject="Hello",
        text="Hello",
        html="<p>Hello</p>",
        created_at=NOW,
        attempts=attempts,
    )


def test_the_message_id_is_made_of_the_order_and_the_kind() -> None:
    assert _message().message_id == "<order-1.order_confirmation@cartwright.example>"


def test_a_line_costs_its_quantity_times_its_price() -> None:
    assert BoughtLine("Mug", 3, Money(500, "USD")).total == Money(1500, "USD")


@pytest.mark.parametrize(
    "address", ["ada@customer.example", "a.b+c@x", "o'neil@mail.customer-1.example"]
)
def test_an_address_is_what_browsers_take(address: str) -> None:
    assert domain.is_address(address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "ada@",
        "@customer.example",
        "ada@customer.example, eve@evil.example",
        "ada@customer.example\r\nBcc: eve@evil.example",
        "ada@customer.example\n",
        "a b@customer.example",
        "ädä@customer.example",
        "a@" + "x" * 64 + ".example",
        "a@" + ".".join(["x" * 60] * 5),
    ],
)
def test_anything_else_is_no_address(text: str) -> None:
    assert not domain.is_address(text)


def test_a_refused_message_is_tried_again_later() -> None:
    verdict = domain.judge(_message(), Refused(550, "no such user"), NOW)

    assert verdict.state is State.QUEUED
    assert verdict.attempts == 1
    assert verdict.last_error == "550 no such user"
    assert verdict.next_attempt_at == NOW + timedelta(seconds=1)


def test_the_fifth_refusal_is_final() -> None:
    assert domain.judge(_message(3), Refused(550, "no"), NOW).state is State.QUEUED
    assert domain.judge(_message(4), Refused(550, "no"), NOW).state is State.FAILED


def test_a_message_may_be_deferred_oftener_than_refused() -> None:
    assert domain.judge(_message(18), Refused(451, "later"), NOW).state is State.QUEUED
    assert domain.judge(_message(19), Refused(451, "later"), NOW).state is State.FAILED


def test_no_answer_counts_as_no_attempt() -> None:
    verdict = domain.judge(_message(4), Unanswered("ConnectionRefusedError"), NOW)

    assert (verdict.state, verdict.attempts) == (State.QUEUED, 4)
    assert verdict.next_attempt_at > NOW


def test_pauses_double_up_to_five_minutes() -> None:
    pauses = [domain.retry_after(attempts).total_seconds() for attempts in (1, 2, 3, 9, 10, 20)]

    assert pauses == [1, 2, 4, 256, 300, 300]


def test_a_reason_of_tomorrow_has_a_sentence_today() -> None:
    assert domain.cancellation_sentence("meteorite") == "We could not complete it."
