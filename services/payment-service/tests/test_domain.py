from dataclasses import replace
from itertools import product

import pytest
from common.errors import IllegalTransition
from payment import domain
from payment.domain import Fact, OperationKind, Payment, PaymentStatus

INITIATED = Payment("payment-1", "order-1", 1999, "USD", "pm_ok", PaymentStatus.INITIATED)
AUTHORIZED = replace(INITIATED, status=PaymentStatus.AUTHORIZED, provider_payment_id="pay_1")
ANSWERED = [
    (INITIATED, OperationKind.AUTHORIZE, PaymentStatus.AUTHORIZED),
    (INITIATED, OperationKind.AUTHORIZE, PaymentStatus.DECLINED),
    (AUTHORIZED, OperationKind.CAPTURE, PaymentStatus.CAPTURED),
    (AUTHORIZED, OperationKind.VOID, PaymentStatus.VOIDED),
]


def _in(status: PaymentStatus) -> Payment:
    return replace(AUTHORIZED, status=status)


@pytest.mark.parametrize(("payment", "kind", "status"), ANSWERED)
def test_the_provider_decides_what_becomes_of_a_payment(
    payment: Payment, kind: OperationKind, status: PaymentStatus
) -> None:
    after = domain.after(payment, kind, Fact("pay_1", status, "why"))

    assert after == replace(payment, status=status, provider_payment_id="pay_1", decline_code="why")


@pytest.mark.parametrize(
    ("before", "kind", "answer"),
    sorted(
        set(product(PaymentStatus, OperationKind, PaymentStatus))
        - {(payment.status, kind, answer) for payment, kind, answer in ANSWERED}
    ),
)
def test_no_other_answer_passes_silently(
    before: PaymentStatus, kind: OperationKind, answer: PaymentStatus
) -> None:
    with pytest.raises(IllegalTransition):
        domain.after(_in(before), kind, Fact("pay_1", answer))


def test_an_answer_about_another_payment_is_not_ours() -> None:
    with pytest.raises(IllegalTransition, match="about another"):
        domain.after(AUTHORIZED, OperationKind.CAPTURE, Fact("pay_2", PaymentStatus.CAPTURED))


def test_a_decline_need_not_have_made_a_payment() -> None:
    fact = Fact(None, PaymentStatus.DECLINED, "unknown_payment_method")

    assert domain.after(INITIATED, OperationKind.AUTHORIZE, fact).provider_payment_id is None


def test_an_order_is_not_paid_for_at_other_terms() -> None:
    domain.check_same(AUTHORIZED, INITIATED)
    for terms in ({"amount_minor": 1998}, {"currency": "EUR"}, {"payment_method": "pm_slow"}):
        with pytest.raises(IllegalTransition, match="other terms"):
            domain.check_same(AUTHORIZED, replace(INITIATED, **terms))  # type: ignore[arg-type]


def test_a_tombstone_has_no_terms() -> None:
    domain.check_same(domain.never_asked("payment-2", "order-1"), INITIATED)


def test_a_capture_is_a_sale_that_the_provider_owes_us() -> None:
    entries = domain.ledger_entries(_in(PaymentStatus.CAPTURED))

    assert entries == (("provider_receivable", 1999), ("sales", -1999))


def test_held_money_can_be_taken() -> None:
    assert domain.capture(AUTHORIZED)


def test_taken_money_is_not_taken_again() -> None:
    assert not domain.capture(_in(PaymentStatus.CAPTURED))


@pytest.mark.parametrize(
    "status", [PaymentStatus.INITIATED, PaymentStatus.DECLINED, PaymentStatus.VOIDED]
)
def test_money_that_is_not_held_cannot_be_taken(status: PaymentStatus) -> None:
    with pytest.raises(IllegalTransition, match=f"is {status}"):
        domain.capture(_in(status))


def test_money_that_is_to_be_let_go_cannot_be_taken() -> None:
    with pytest.raises(IllegalTransition):
        domain.capture(replace(AUTHORIZED, void_requested=True))


def test_a_hold_has_to_be_voided() -> None:
    assert domain.void(AUTHORIZED, capture_asked=False)


@pytest.mark.parametrize(
    "status", [PaymentStatus.INITIATED, PaymentStatus.DECLINED, PaymentStatus.VOIDED]
)
def test_where_nothing_is_held_there_is_nothing_to_void(status: PaymentStatus) -> None:
    assert not domain.void(_in(status), capture_asked=False)


def test_taken_money_cannot_be_voided() -> None:
    with pytest.raises(IllegalTransition):
        domain.void(_in(PaymentStatus.CAPTURED), capture_asked=False)


def test_money_that_is_being_taken_cannot_be_voided() -> None:
    with pytest.raises(IllegalTransition):
        domain.void(AUTHORIZED, capture_asked=True)
