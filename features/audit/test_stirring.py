"""Everything in the books that can still begin something is seen, each by itself.

Planted in a transaction that is never committed: nobody in the shop sees it, or acts on it.
"""

import uuid
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import psycopg2.extensions
import pytest
from harness.eventually import eventually
from harness.process.endpoints import Endpoints
from harness.proof.motion import Stirring
from harness.shopper.client import Line
from harness.shopper.scenario_shop import ScenarioShop
from harness.topology.summary import SERVICES

# In one process, as all of this folder: one shop, and nobody else in it.
pytestmark = pytest.mark.xdist_group("audit")

AT_REST_WITHIN_S = 30.0
FLOW = "c3" * 16
TRACEPARENT = f"00-{FLOW}-00f067aa0ba902b7-01"
# {order} is a confirmed order's id, {traceparent} of the flow that is asked for.
PLANTED = {
    f"{service} has yet to publish something.happened":
    f'INSERT INTO "{service}".outbox (event_id, event_type, subject, body, traceparent)'  # noqa: S608  Constants.
    " VALUES ('{id}', 'something.happened', 'of nobody', '{{}}', '{traceparent}')"
    for service in SERVICES
} | {
    "payment has yet to capture":
    "UPDATE payment.operations SET state = 'due', traceparent = '{traceparent}'"
    " WHERE kind = 'capture' AND payment_id ="
    " (SELECT id FROM payment.payments WHERE order_id = '{order}')",
    "notification has yet to send a mail":
    "UPDATE notification.messages SET state = 'queued', sent_at = NULL,"
    " traceparent = '{traceparent}' WHERE order_id = '{order}'",
    "payment has yet to heed payment.captured":
    "UPDATE \"order\".orders SET traceparent = '{traceparent}' WHERE id = '{order}';"
    " INSERT INTO payment.webhook_events (id, type, body)"
    " VALUES ('{id}', 'payment.captured', '{{\"reference\": \"{order}\"}}')",
    "order {order} is not settled":
    "UPDATE \"order\".orders SET stock_settled = false, next_nudge_at = 'infinity',"
    " traceparent = '{traceparent}' WHERE id = '{order}'",
}  # fmt: skip


BUYER, GOOD_CARD = "stirring@shoppers.example", "pm_ok"


class Uncommitted:
    """A connection that shows what is planted in it, and does not commit it as its user would."""

    closed = False

    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def __enter__(self) -> "Uncommitted":
        return self

    def __exit__(self, *_: object) -> None: ...
    def close(self) -> None: ...
    def cursor(self) -> psycopg2.extensions.cursor:
        return self._connection.cursor()


@pytest.fixture(scope="module")
def order_id(shop: ScenarioShop) -> str:
    sku = shop.sell("Stirring spoon", 250, 1)
    shopper = shop.shopper("stirring")
    with shopper.checkout() as flow:
        order = shopper.place_order([Line(sku, 1)], email=BUYER, payment_method=GOOD_CARD)
    assert shop.settled(shopper, order["id"])["status"] == "confirmed"
    with closing(Stirring(shop.endpoints)) as stirring:  # Webhooks may come after its answer.
        eventually(lambda: not stirring(flow), AT_REST_WITHIN_S, "the order at rest")
    return str(order["id"])


@pytest.fixture
def books(endpoints: Endpoints) -> Iterator[psycopg2.extensions.connection]:
    connection = psycopg2.connect(endpoints.postgres_dsn)
    yield connection
    connection.rollback()
    connection.close()


@pytest.mark.parametrize("line", PLANTED)
def test_what_is_under_way_is_told(
    endpoints: Endpoints,
    books: psycopg2.extensions.connection,
    monkeypatch: pytest.MonkeyPatch,
    order_id: str,
    line: str,
) -> None:
    names = {"order": order_id, "id": uuid.uuid4(), "traceparent": TRACEPARENT}
    monkeypatch.setattr(psycopg2, "connect", lambda _: Uncommitted(books))
    with closing(Stirring(endpoints)) as stirring, books.cursor() as cursor:
        before = stirring(FLOW)
        cursor.execute(PLANTED[line].format(**names))
        assert cursor.rowcount == 1

        after = stirring(FLOW)

    assert before == []
    assert after == [line.format(**names)]
