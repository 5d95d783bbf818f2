import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulators.payment_provider import payments
from simulators.payment_provider.payments import AMOUNT_MINOR_MAX, Charge, Payment, Status
from simulators.payment_provider.refusals import (
    AmountOutOfRange,
    AmountTooLarge,
    IllegalTransition,
    UnsupportedCurrency,
)

CHARGE = Charge(1900, "EUR", "pm_ok", "ORDER-1")


def authorized(charge: Charge = CHARGE) -> Payment:
    return payments.authorize("pay_1", charge, decline_code=None, created_at="2026-01-01T00:00:00Z")


def declined() -> Payment:
    return payments.authorize("pay_1", CHARGE, decline_code="generic_decline", created_at="")


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


@pytest.mark.parametrize("amount_minor", [-1, 0, AMOUNT_MINOR_MAX + 1])
def test_an_amount_out_of_range_is_refused(amount_minor: int) -> None:
    with pytest.raises(AmountOutOfRange):
        authorized(Charge(amount_minor, "EUR", "pm_ok", "ORDER-1"))


def test_a_currency_that_iso_4217_does_not_know_is_refused() -> None:
    with pytest.raises(UnsupportedCurrency):
        authorized(Charge(1900, "XYZ", "pm_ok", "ORDER-1"))


@given(
    held=st.integers(1, AMOUNT_MINOR_MAX),
    steps=st.lists(st.one_of(st.just("void"), st.integers(-5, AMOUNT_MINOR_MAX)), max_size=6),
)
def test_money_is_neither_made_nor_lost_by_any_sequence(held: int, steps: list[object]) -> None:
    payment = authorized(Charge(held, "EUR", "pm_ok", "ORDER-1"))

    for step in steps:
        try:
            payment = (
                payments.capture(payment, step) if isinstance(step, int) else payments.void(payment)
            )
        except (IllegalTransition, AmountTooLarge, AmountOutOfRange):
            continue

    moved = payment.captured_minor + payment.voided_minor
    assert moved == (0 if payment.status is Status.AUTHORIZED else held)
