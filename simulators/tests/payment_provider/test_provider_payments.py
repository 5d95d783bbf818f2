from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulators.payment_provider.rules import payments
from simulators.payment_provider.rules.payments import (
    AMOUNT_MINOR_MAX,
    Charge,
    NextAction,
    Payment,
    Status,
)
from simulators.payment_provider.rules.refusals import (
    AmountOutOfRange,
    AmountTooLarge,
    ChallengeClosed,
    IllegalTransition,
    RefundTooLarge,
    Refusal,
    UnsupportedCurrency,
)

CHARGE = Charge(1900, "EUR", "pm_ok", "ORDER-1")


def authorized(charge: Charge = CHARGE) -> Payment:
    return payments.authorize("pay_1", charge, decline_code=None)


def declined() -> Payment:
    return payments.authorize("pay_1", CHARGE, decline_code="generic_decline")


def challenged(charge: Charge = CHARGE) -> Payment:
    action = NextAction("http://bank.example/3ds", "2026-01-01T00:15:00.000Z")
    return payments.challenge("pay_1", charge, action)


def captured() -> Payment:
    return payments.capture(authorized(), 1900)


Begin = Callable[[Charge], Payment]
Step = tuple[str, int]
STEPS: dict[str, Callable[[Payment, int], Payment]] = {
    "approve": lambda payment, _: payments.authenticated(payment, decline_code=None),
    "fail": lambda payment, _: payments.authenticated(payment, decline_code="generic_decline"),
    "capture": payments.capture,
    "void": lambda payment, _: payments.void(payment),
    "refund": payments.refund,
}


def test_an_authorization_holds_the_whole_amount_and_takes_nothing() -> None:
    payment = authorized()

    assert payment.status is Status.AUTHORIZED
    assert (payment.authorized_minor, payment.captured_minor, payment.voided_minor) == (1900, 0, 0)


def test_a_declined_payment_holds_nothing() -> None:
    payment = declined()

    assert payment.status is Status.DECLINED
    assert payment.authorized_minor == 0


def test_a_capture_of_less_releases_the_rest() -> None:
    payment = payments.capture(authorized(), 1500)

    assert (payment.status, payment.captured_minor, payment.voided_minor) == (
        Status.CAPTURED,
        1500,
        400,
    )


def test_a_void_releases_everything() -> None:
    payment = payments.void(authorized())

    assert (payment.status, payment.captured_minor, payment.voided_minor) == (
        Status.VOIDED,
        0,
        1900,
    )


@pytest.mark.parametrize(
    "payment",
    [payments.capture(authorized(), 1900), payments.void(authorized()), declined()],
    ids=lambda payment: payment.status.value,
)
def test_nothing_happens_to_a_payment_that_has_ended(payment: Payment) -> None:
    with pytest.raises(IllegalTransition):
        payments.capture(payment, 1900)
    with pytest.raises(IllegalTransition):
        payments.void(payment)


def test_no_more_than_authorized_is_captured() -> None:
    with pytest.raises(AmountTooLarge):
        payments.capture(authorized(), 1901)


def test_a_capture_of_nothing_is_refused() -> None:
    with pytest.raises(AmountOutOfRange):
        payments.capture(authorized(), 0)


def test_a_challenged_payment_holds_nothing_until_it_is_approved() -> None:
    waiting = challenged()
    approved = payments.authenticated(waiting, decline_code=None)

    assert (waiting.status, waiting.authorized_minor) == (Status.REQUIRES_ACTION, 0)
    assert (approved.status, approved.authorized_minor) == (Status.AUTHORIZED, 1900)


def test_a_challenge_that_fails_declines() -> None:
    payment = payments.authenticated(challenged(), decline_code="authentication_failed")

    assert (payment.status, payment.decline_code) == (Status.DECLINED, "authentication_failed")
    assert payment.authorized_minor == 0


def test_a_challenge_is_answered_once() -> None:
    approved = payments.authenticated(challenged(), decline_code=None)

    with pytest.raises(ChallengeClosed):
        payments.authenticated(approved, decline_code="authentication_failed")


def test_a_challenge_can_be_called_off_and_releases_nothing() -> None:
    payment = payments.void(challenged())

    assert (payment.status, payment.voided_minor) == (Status.VOIDED, 0)


def test_a_challenged_payment_is_not_captured() -> None:
    with pytest.raises(IllegalTransition):
        payments.capture(challenged(), 1900)


def test_a_refund_of_less_leaves_the_rest_to_refund() -> None:
    partly = payments.refund(captured(), 500)
    wholly = payments.refund(partly, 1400)

    assert (partly.status, partly.refunded_minor) == (Status.PARTIALLY_REFUNDED, 500)
    assert (wholly.status, wholly.refunded_minor) == (Status.REFUNDED, 1900)
    assert wholly.captured_minor == 1900


def test_no_more_is_refunded_than_is_left() -> None:
    with pytest.raises(RefundTooLarge):
        payments.refund(payments.refund(captured(), 500), 1401)


def test_a_refund_of_nothing_is_refused() -> None:
    with pytest.raises(AmountOutOfRange):
        payments.refund(captured(), 0)


@pytest.mark.parametrize(
    "payment",
    [authorized(), challenged(), declined(), payments.void(authorized()),
     payments.refund(captured(), 1900)],
    ids=lambda payment: payment.status.value,
)  # fmt: skip
def test_what_was_not_taken_or_is_given_back_cannot_be_refunded(payment: Payment) -> None:
    with pytest.raises(IllegalTransition):
        payments.refund(payment, 1)


@pytest.mark.parametrize("amount_minor", [-1, 0, AMOUNT_MINOR_MAX + 1])
def test_an_amount_out_of_range_is_refused(amount_minor: int) -> None:
    with pytest.raises(AmountOutOfRange):
        authorized(Charge(amount_minor, "EUR", "pm_ok", "ORDER-1"))


def test_a_currency_that_iso_4217_does_not_know_is_refused() -> None:
    with pytest.raises(UnsupportedCurrency):
        authorized(Charge(1900, "XYZ", "pm_ok", "ORDER-1"))


@given(
    held=st.integers(1, AMOUNT_MINOR_MAX),
    begins=st.sampled_from([authorized, challenged]),
    steps=st.lists(
        st.tuples(st.sampled_from(sorted(STEPS)), st.integers(-5, AMOUNT_MINOR_MAX)), max_size=8
    ),
)
def test_money_is_neither_made_nor_lost_by_any_sequence(
    held: int, begins: Begin, steps: list[Step]
) -> None:
    payment = begins(Charge(held, "EUR", "pm_ok", "ORDER-1"))

    for step, amount_minor in steps:
        try:
            payment = STEPS[step](payment, amount_minor)
        except Refusal:
            continue

    moved = payment.captured_minor + payment.voided_minor
    is_open = payment.status in {Status.REQUIRES_ACTION, Status.AUTHORIZED}
    assert moved == (0 if is_open else payment.authorized_minor)
    assert payment.authorized_minor in {0, held}
    assert 0 <= payment.refunded_minor <= payment.captured_minor
    assert (payment.status is Status.REFUNDED) == (
        0 < payment.captured_minor == payment.refunded_minor
    )
