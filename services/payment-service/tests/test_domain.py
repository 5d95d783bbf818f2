from dataclasses import replace
from itertools import permutations, product

import pytest
from common.errors import IllegalTransition
from payment import domain
from payment.domain import (
    Action,
    AmountsDiffer,
    AnotherPayment,
    Balance,
    Fact,
    NotRefundable,
    OperationKind,
    Payment,
    PaymentStatus,
    Refund,
    RefundFact,
    RefundTooLarge,
    StatusDiffers,
)

S = PaymentStatus
INITIATED = Payment("payment-1", "order-1", 1999, "USD", "pm_ok", S.INITIATED)
AUTHORIZED = replace(INITIATED, status=S.AUTHORIZED, provider_payment_id="pay_1")
REFUND = Refund("refund-1", "payment-1", 500, "returned", "return-1")
ANSWERED = [S.ACTION_REQUIRED, S.AUTHORIZED, S.DECLINED, S.CAPTURED, S.VOIDED]


def _in(status: PaymentStatus) -> Payment:
    return replace(AUTHORIZED, status=status)


def _after(payment: Payment, status: PaymentStatus) -> Payment:
    return domain.after(payment, Fact("pay_1", status))


# --- Facts move a payment forward


@pytest.mark.parametrize("status", ANSWERED)
@pytest.mark.parametrize("before", [S.INITIATED, S.UNKNOWN])
def test_the_provider_decides_what_becomes_of_a_payment(
    before: PaymentStatus, status: PaymentStatus
) -> None:
    after = domain.after(replace(INITIATED, status=before), Fact("pay_1", status, "why"))

    assert after == replace(
        INITIATED, status=status, provider_payment_id="pay_1", decline_code="why"
    )


@pytest.mark.parametrize(
    ("before", "told"),
    [
        (S.ACTION_REQUIRED, S.AUTHORIZED),
        (S.ACTION_REQUIRED, S.DECLINED),
        (S.ACTION_REQUIRED, S.VOIDED),
        (S.AUTHORIZED, S.CAPTURED),
        (S.AUTHORIZED, S.VOIDED),
    ],
)
def test_a_payment_goes_on(before: PaymentStatus, told: PaymentStatus) -> None:
    assert _after(_in(before), told).status is told


@pytest.mark.parametrize(
    ("before", "told"),
    [
        (before, told)
        for before, told in product(ANSWERED, ANSWERED)
        if domain.RANK[told] <= domain.RANK[before] and {before, told} != {S.CAPTURED, S.VOIDED}
    ],
)
def test_old_news_changes_nothing(before: PaymentStatus, told: PaymentStatus) -> None:
    assert _after(_in(before), told) == _in(before)


@pytest.mark.parametrize("refunded", [S.PARTIALLY_REFUNDED, S.REFUNDED])
def test_a_refund_tells_that_the_money_was_taken(refunded: PaymentStatus) -> None:
    assert _after(AUTHORIZED, refunded).status is S.CAPTURED
    assert _after(_in(refunded), S.CAPTURED) == _in(refunded)
    assert _after(_in(refunded), S.AUTHORIZED) == _in(refunded)


@pytest.mark.parametrize("order", list(permutations([S.ACTION_REQUIRED, S.AUTHORIZED, S.CAPTURED])))
def test_in_whatever_order_facts_come_the_furthest_holds(order: tuple[PaymentStatus, ...]) -> None:
    payment = INITIATED
    for told in order:
        payment = _after(payment, told)
        payment = _after(payment, told)

    assert payment.status is S.CAPTURED
    assert payment.action is None


def test_an_action_is_kept_while_it_is_required() -> None:
    action = Action("https://provider.example/3ds")

    challenged = domain.after(INITIATED, Fact("pay_1", S.ACTION_REQUIRED, action=action))

    assert challenged.action == action
    assert _after(challenged, S.AUTHORIZED).action is None


@pytest.mark.parametrize("pair", [(S.VOIDED, S.CAPTURED), (S.CAPTURED, S.VOIDED)])
def test_money_is_not_both_taken_and_let_go(pair: tuple[PaymentStatus, PaymentStatus]) -> None:
    with pytest.raises(StatusDiffers):
        _after(_in(pair[0]), pair[1])


# --- Late success


@pytest.mark.parametrize("told", [S.AUTHORIZED, S.CAPTURED])
def test_money_that_follows_a_decline_has_to_go_back(told: PaymentStatus) -> None:
    declined = replace(_in(S.DECLINED), decline_code="generic_decline")

    after = _after(declined, told)

    assert (after.status, after.void_requested, after.decline_code) == (told, True, None)


@pytest.mark.parametrize("told", [S.ACTION_REQUIRED, S.AUTHORIZED, S.CAPTURED])
@pytest.mark.parametrize("closed", [S.DECLINED, S.VOIDED])
def test_a_payment_that_was_thought_never_made_has_to_be_undone(
    closed: PaymentStatus, told: PaymentStatus
) -> None:
    after = _after(replace(INITIATED, status=closed), told)

    assert (after.status, after.void_requested) == (told, True)
    assert after.provider_payment_id == "pay_1"


# --- What is not ours


def test_a_fact_about_another_payment_is_not_ours() -> None:
    with pytest.raises(AnotherPayment):
        domain.after(AUTHORIZED, Fact("pay_2", S.CAPTURED))


@pytest.mark.parametrize(
    "fact",
    [
        Fact("pay_1", S.AUTHORIZED, amount_minor=1998),
        Fact("pay_1", S.AUTHORIZED, currency="EUR"),
        Fact("pay_1", S.CAPTURED, amount_minor=1999, captured_minor=1998),
    ],
    ids=["amount", "currency", "captured"],
)
def test_another_sum_is_never_taken_for_ours(fact: Fact) -> None:
    with pytest.raises(AmountsDiffer):
        domain.after(INITIATED, fact)


def test_a_decline_need_not_have_made_a_payment() -> None:
    fact = Fact(None, S.DECLINED, "unknown_payment_method")

    assert domain.after(INITIATED, fact).provider_payment_id is None


def test_an_order_is_not_paid_for_at_other_terms() -> None:
    domain.check_same(AUTHORIZED, INITIATED)
    for terms in ({"amount_minor": 1998}, {"currency": "EUR"}, {"payment_method": "pm_slow"}):
        with pytest.raises(IllegalTransition, match="other terms"):
            domain.check_same(AUTHORIZED, replace(INITIATED, **terms))


def test_a_tombstone_has_no_terms() -> None:
    domain.check_same(domain.never_asked("payment-2", "order-1"), INITIATED)


# --- The ledger


def test_a_capture_is_a_sale_that_the_provider_owes_us() -> None:
    entries = domain.capture_entries(_in(S.CAPTURED))

    assert entries == (("provider_receivable", 1999), ("sales", -1999))


def test_a_refund_is_owed_to_the_provider() -> None:
    assert domain.refund_entries(REFUND) == (("refunds", 500), ("provider_payable", -500))


@pytest.mark.parametrize(
    ("refunded_minor", "status"),
    [(0, S.CAPTURED), (1, S.PARTIALLY_REFUNDED), (1998, S.PARTIALLY_REFUNDED), (1999, S.REFUNDED)],
)
def test_the_sums_say_how_much_went_back(refunded_minor: int, status: PaymentStatus) -> None:
    assert domain.refunded_status(Balance(1999, refunded_minor)) is status


@pytest.mark.parametrize("amount_minor", [1, 999])
def test_what_is_left_can_be_refunded(amount_minor: int) -> None:
    domain.check_refund(Balance(1999, 500), 500, amount_minor)


def test_no_more_is_refunded_than_is_left() -> None:
    with pytest.raises(RefundTooLarge) as refused:
        domain.check_refund(Balance(1999, 500), 500, 1000)

    assert refused.value.members == {"refundable_minor": 999}


def test_what_was_never_taken_is_not_refunded() -> None:
    with pytest.raises(NotRefundable):
        domain.check_refund(Balance(0, 0), 0, 1)


@pytest.mark.parametrize(
    ("told", "is_ours"),
    [
        (RefundFact("re_1", 500, "return-1"), True),
        (RefundFact("re_1", 500, "refund-1"), True),
        (RefundFact("re_1", 500), True),
        (RefundFact("re_1", 499), False),
        (RefundFact("re_1", 500, "return-2"), False),
    ],
)
def test_the_provider_names_our_refunds_as_we_did(told: RefundFact, *, is_ours: bool) -> None:
    assert (domain.named([REFUND], told) is REFUND) is is_ours


# --- What the order asks


def test_held_money_can_be_taken() -> None:
    assert domain.capture(AUTHORIZED)


@pytest.mark.parametrize("status", sorted(domain.TAKEN))
def test_taken_money_is_not_taken_again(status: PaymentStatus) -> None:
    assert not domain.capture(_in(status))


@pytest.mark.parametrize(
    "status", [S.INITIATED, S.UNKNOWN, S.ACTION_REQUIRED, S.DECLINED, S.VOIDED]
)
def test_money_that_is_not_held_cannot_be_taken(status: PaymentStatus) -> None:
    with pytest.raises(IllegalTransition, match=f"is {status}"):
        domain.capture(_in(status))


@pytest.mark.parametrize("status", [S.AUTHORIZED, S.CAPTURED])
def test_money_that_is_to_be_let_go_cannot_be_taken(status: PaymentStatus) -> None:
    with pytest.raises(IllegalTransition):
        domain.capture(replace(_in(status), void_requested=True))


def test_an_order_that_is_being_captured_is_not_cancelled() -> None:
    domain.check_cancellable(AUTHORIZED, capture_asked=False)
    with pytest.raises(IllegalTransition):
        domain.check_cancellable(AUTHORIZED, capture_asked=True)


@pytest.mark.parametrize(
    ("kind", "reached"),
    [
        (OperationKind.AUTHORIZE, set(S) - {S.INITIATED, S.UNKNOWN}),
        (OperationKind.CAPTURE, set(domain.TAKEN)),
        (OperationKind.VOID, {S.VOIDED, S.DECLINED} | domain.TAKEN),
        (OperationKind.REFUND, set()),
    ],
)
def test_what_is_reached_need_not_be_asked_for(
    kind: OperationKind, reached: set[PaymentStatus]
) -> None:
    assert {status for status in S if domain.is_reached(kind, status)} == reached


@pytest.mark.parametrize(
    ("kind", "undone"),
    [
        (OperationKind.AUTHORIZE, set()),
        (OperationKind.CAPTURE, {S.AUTHORIZED}),
        (OperationKind.VOID, {S.ACTION_REQUIRED, S.AUTHORIZED}),
        (OperationKind.REFUND, set()),
    ],
)
def test_a_status_says_of_what_can_be_done_only_once_that_it_was_not_done(
    kind: OperationKind, undone: set[PaymentStatus]
) -> None:
    assert {status for status in S if domain.is_undone(kind, status)} == undone
