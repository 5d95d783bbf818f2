"""What a mail server's answer means; pure."""

from dataclasses import replace
from datetime import timedelta

import pytest
from messages_for_tests import NOW, order_message
from notification.domain import delivery
from notification.domain.delivery import Refused, Unanswered
from notification.domain.messages import (
    NotResendable,
    Reason,
    State,
    check_resendable,
)

GONE = Refused(550, "5.1.1 no such user", at_recipient=True)


# --- What becomes of a message that was not sent


def test_a_refused_message_is_tried_again_later() -> None:
    verdict = delivery.judge(order_message(), GONE, NOW)

    assert (verdict.state, verdict.reason) == (State.QUEUED, None)
    assert (verdict.attempts, verdict.refusals) == (1, 1)
    assert verdict.last_error == "550 5.1.1 no such user"
    assert verdict.next_attempt_at == NOW + timedelta(seconds=1)
    assert not verdict.suppresses


def test_the_fifth_refusal_is_final_and_suppresses_the_address() -> None:
    assert delivery.judge(order_message(3, 3), GONE, NOW).state is State.QUEUED

    verdict = delivery.judge(order_message(4, 4), GONE, NOW)

    assert (verdict.state, verdict.reason) == (State.FAILED, Reason.REFUSED)
    assert verdict.suppresses


def test_a_refusal_after_many_deferrals_is_the_first() -> None:
    verdict = delivery.judge(order_message(10, 0), GONE, NOW)

    assert (verdict.state, verdict.refusals) == (State.QUEUED, 1)


def test_a_message_may_be_deferred_oftener_than_refused() -> None:
    later = Refused(451, "later", at_recipient=True)

    verdict = delivery.judge(order_message(19), later, NOW)

    assert delivery.judge(order_message(18), later, NOW).state is State.QUEUED
    assert (verdict.state, verdict.reason) == (State.FAILED, Reason.DEFERRED)
    assert not verdict.suppresses


@pytest.mark.parametrize(
    ("refused", "is_at_fault"),
    [
        (Refused(550, "no such user", at_recipient=True), True),
        (Refused(551, "5.1.6 moved", at_recipient=True), True),
        (Refused(553, "5.1.3 syntax", at_recipient=True), True),
        (Refused(550, "5.2.1 disabled", at_recipient=True), True),
        (Refused(550, "5.7.1 we do not like your network", at_recipient=True), False),
        (Refused(550, "5.2.10 something new", at_recipient=True), False),
        (Refused(552, "5.2.2 mailbox full", at_recipient=True), False),
        (Refused(554, "no", at_recipient=True), False),
        (Refused(550, "5.1.1 no such user"), False),
    ],
)
def test_an_address_is_at_fault_only_where_the_server_says_so(
    refused: Refused, *, is_at_fault: bool
) -> None:
    assert delivery.is_address_at_fault(refused) is is_at_fault


def test_no_answer_counts_as_no_attempt() -> None:
    verdict = delivery.judge(order_message(4, 4), Unanswered("ConnectionRefusedError"), NOW)

    assert (verdict.state, verdict.attempts, verdict.refusals) == (State.QUEUED, 4, 4)
    assert verdict.next_attempt_at > NOW


def test_who_may_have_the_mail_is_asked_less_and_less_often_and_not_for_ever() -> None:
    lost = Unanswered("SMTPServerDisconnected", may_have_arrived=True)
    message, due, rounds = order_message(0, 0), NOW, 0
    while message.state is State.QUEUED and rounds < 2 * delivery.DEFERRALS_MAX:
        verdict = delivery.judge(message, lost, due)
        message = replace(
            message, state=verdict.state, reason=verdict.reason, attempts=verdict.attempts
        )
        due, rounds = verdict.next_attempt_at, rounds + 1

    assert (rounds, message.reason) == (delivery.DEFERRALS_MAX, Reason.DEFERRED)
    assert due - NOW > timedelta(hours=1)
    assert not verdict.suppresses


def test_pauses_double_up_to_five_minutes() -> None:
    pauses = [delivery.retry_after(attempts).total_seconds() for attempts in (1, 2, 3, 9, 10, 20)]

    assert pauses == [1, 2, 4, 256, 300, 300]


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (Refused(550, "5.1.1 <ada@customer.example> unknown"), "550 5.1.1"),
        (Refused(550, "ada@customer.example unknown"), "550"),
        (Unanswered("421 4.3.2 bye ada@customer.example"), "421 4.3.2"),
        (Unanswered("ConnectionRefusedError"), "ConnectionRefusedError"),
        (Unanswered("ada@customer.example"), "Unanswered"),
    ],
)
def test_nobodys_address_is_told_in_public(outcome: Refused | Unanswered, told: str) -> None:
    assert delivery.in_public(outcome) == told


# --- Sending again


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (State.SENT, None),
        (State.FAILED, Reason.REFUSED),
        (State.FAILED, Reason.DEFERRED),
        (State.SUPPRESSED, Reason.ADDRESS_SUPPRESSED),
        (State.SUPPRESSED, Reason.PREFERENCE),
    ],
)
def test_what_may_still_arrive_can_be_sent_again(state: State, reason: Reason | None) -> None:
    check_resendable(replace(order_message(), state=state, reason=reason))


@pytest.mark.parametrize(
    ("state", "reason", "text"),
    [
        (State.QUEUED, None, "Hello"),
        (State.FAILED, Reason.NOT_AN_ADDRESS, "Hello"),
        (State.SUPPRESSED, Reason.OVERTAKEN, "Hello"),
        (State.SENT, None, None),
    ],
)
def test_what_cannot_arrive_is_not_sent_again(
    state: State, reason: Reason | None, text: str | None
) -> None:
    with pytest.raises(NotResendable):
        check_resendable(replace(order_message(), state=state, reason=reason, text=text))
