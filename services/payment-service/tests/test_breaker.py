"""A provider that is down is left alone; what is to be asked waits, and nothing is guessed."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import httpx
import pytest
from common.breaker import Breaker, BreakerState
from common.db import Database
from payment.clients import (
    FAILURES_MAX,
    OPEN_S,
    NotAsked,
    OutcomeUnknown,
    PaymentProvider,
    RefusedByProvider,
)
from payment.domain import Operation, OperationKind, Payment, PaymentStatus
from payment.use_cases import operations
from payment.worker import HANDS, Operations, perform_operation

if TYPE_CHECKING:
    from conftest import Checkout, FakeProvider

# A logger keeps the configuration of its first use, and the application makes one.
pytestmark = pytest.mark.usefixtures("app")

PAYMENT = Payment("payment-1", "order-1", 1999, "USD", "pm_ok", PaymentStatus.INITIATED)
AUTHORIZE = Operation("operation-1", PAYMENT, OperationKind.AUTHORIZE, 1, None)


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def provider_client(provider: "FakeProvider", clock: Clock) -> Iterator[PaymentProvider]:
    breaker = Breaker("provider", failures_max=FAILURES_MAX, open_s=OPEN_S, clock=clock)
    with httpx.Client(transport=httpx.MockTransport(provider)) as http:
        yield PaymentProvider("https://provider.example", "a key for tests", http, breaker=breaker)


@pytest.fixture
def loop(db: Database, provider_client: PaymentProvider) -> Iterator[Operations]:
    asking = Operations(
        db,
        lambda operation: operations.answer_to(provider_client, operation),
        admits=provider_client.breaker.admits,
    )
    yield asking
    asking.close()


def down() -> httpx.Response:
    raise httpx.ConnectError("down")


def broken() -> httpx.Response:
    return httpx.Response(503)


def slow() -> httpx.Response:
    raise httpx.ReadTimeout("slow")


def patience() -> httpx.Response:
    return httpx.Response(429)


def refusal() -> httpx.Response:
    return httpx.Response(403)


def fail(client: PaymentProvider, times: int = FAILURES_MAX) -> None:
    for _ in range(times):
        with pytest.raises(OutcomeUnknown):
            client.perform(AUTHORIZE)


@pytest.mark.parametrize("fault", [down, broken, slow])
def test_a_provider_that_does_not_answer_is_left_alone(
    provider: "FakeProvider", provider_client: PaymentProvider, fault: Callable[[], httpx.Response]
) -> None:
    provider.before = [fault] * 100

    fail(provider_client, FAILURES_MAX + 20)

    assert len(provider.calls) == FAILURES_MAX
    with pytest.raises(NotAsked):
        provider_client.read("pay_1")
    assert provider.reads == []


@pytest.mark.parametrize("answer", [patience, refusal])
def test_whoever_answers_is_there(
    provider: "FakeProvider", provider_client: PaymentProvider, answer: Callable[[], httpx.Response]
) -> None:
    provider.before = [answer] * 100

    for _ in range(2 * FAILURES_MAX):
        with pytest.raises((OutcomeUnknown, RefusedByProvider)):
            provider_client.perform(AUTHORIZE)

    assert provider_client.breaker.state is BreakerState.CLOSED


def test_while_it_is_left_alone_payments_wait_untouched_and_then_are_made(
    provider: "FakeProvider",
    provider_client: PaymentProvider,
    checkout: "Checkout",
    new_checkout: Callable[[], "Checkout"],
    clock: Clock,
) -> None:
    provider.before = [down] * FAILURES_MAX
    fail(provider_client)
    asked = len(provider.calls)
    others = [new_checkout() for _ in range(2 * HANDS)]
    checkout.hear(checkout.reserved(), *(one.reserved() for one in others))

    checkout.work()
    checkout.work()

    assert len(provider.calls) == asked
    assert {row["attempts"] for row in checkout.operations} == {0}
    assert {row["state"] for row in checkout.operations} == {"due"}
    assert checkout.payment.status is PaymentStatus.INITIATED
    clock.now_s += OPEN_S
    while checkout.work():
        pass
    assert [one.told() for one in [checkout, *others]] == [["payment.authorized"]] * (1 + 2 * HANDS)


def test_the_first_to_come_back_comes_alone(
    provider: "FakeProvider",
    provider_client: PaymentProvider,
    checkout: "Checkout",
    new_checkout: Callable[[], "Checkout"],
    clock: Clock,
) -> None:
    provider.before = [down] * (FAILURES_MAX + 1)
    fail(provider_client)
    asked = len(provider.calls)
    others = [new_checkout() for _ in range(HANDS)]
    checkout.hear(checkout.reserved(), *(one.reserved() for one in others))
    clock.now_s += OPEN_S

    checkout.work()

    assert len(provider.calls) == asked + 1
    assert provider_client.breaker.state is BreakerState.OPEN
    assert sorted(row["attempts"] for row in checkout.operations) == [0] * HANDS + [1]


def test_an_order_that_is_cancelled_meanwhile_is_never_charged(
    provider: "FakeProvider",
    provider_client: PaymentProvider,
    checkout: "Checkout",
    clock: Clock,
) -> None:
    provider.before = [down] * FAILURES_MAX
    fail(provider_client)
    asked = len(provider.calls)
    checkout.hear(checkout.reserved())
    checkout.work()

    checkout.hear(checkout.cancellation())
    checkout.work()
    clock.now_s += OPEN_S
    checkout.work()

    assert checkout.told() == ["payment.voided"]
    assert len(provider.calls) == asked
    assert provider.statuses == {}


def test_what_was_claimed_but_not_asked_is_not_called_unknown(
    db: Database,
    provider: "FakeProvider",
    provider_client: PaymentProvider,
    checkout: "Checkout",
    clock: Clock,
) -> None:
    checkout.hear(checkout.reserved())
    with db.transaction() as tx:
        (claimed,) = operations.claim(tx, 1)
    provider.before = [down] * FAILURES_MAX
    fail(provider_client)
    asked = len(provider.calls)

    perform_operation(db, provider_client.perform, claimed)

    assert len(provider.calls) == asked
    assert checkout.payment.status is PaymentStatus.INITIATED
    clock.now_s += OPEN_S
    checkout.wait(60)
    checkout.work()
    assert checkout.told() == ["payment.authorized"]


def test_connections_that_break_all_at_once_are_no_outage() -> None:
    assert FAILURES_MAX > HANDS
