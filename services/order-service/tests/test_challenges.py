"""3-D Secure: the customer is told once where their bank wants to hear from them."""

import pytest
from common.db import Database
from common.testing import deliver, promised, published
from order.worker import HANDLERS
from order_fixtures import Ana

URL = "https://bank.example/3ds/1?key=k"


def challenge(db: Database, order_id: str, url: str = URL) -> list[tuple[str, str]]:
    data = {"order_id": order_id, "action_url": url}
    return deliver(db, HANDLERS, promised("payment.action_required", order_id, data)).dead


def test_the_customer_sees_where_to_go_and_is_told_once(db: Database, ana: Ana) -> None:
    order_id = ana.place().json["id"]

    challenge(db, order_id)
    challenge(db, order_id)

    order = ana.read(order_id).json
    assert order["status"] == "pending"
    assert order["next_action"] == {"type": "redirect", "url": URL}
    told = [event.data for event in published(db) if event.type == "order.action_required"]
    assert told == [
        {
            "order_id": order_id, "customer_id": "ana", "email": "ana@shoppers.example",
            "action_url": URL, "total_minor": 1139, "currency": "USD",
        }
    ]  # fmt: skip


def test_once_it_is_decided_there_is_nothing_to_do(db: Database, ana: Ana) -> None:
    order_id = ana.place().json["id"]
    challenge(db, order_id)

    deliver(db, HANDLERS, promised("payment.authorized", order_id, {"order_id": order_id}))
    challenge(db, order_id)

    order = ana.read(order_id).json
    assert (order["status"], order["next_action"]) == ("confirmed", None)


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "ftp://bank.example/", "", "https://" + "x" * 2000]
)
def test_a_link_that_is_none_is_dead_lettered(db: Database, ana: Ana, url: str) -> None:
    order_id = ana.place().json["id"]

    assert len(challenge(db, order_id, url)) == 1
    assert ana.read(order_id).json["next_action"] is None
