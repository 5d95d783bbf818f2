"""Who has an order has it alone: what is decided about it is decided one after the other."""

import pytest
from common.db import Database
from common.testing import AT_ONCE
from order.domain import Order
from order.store import orders as store
from order_fixtures import Ana
from sqlalchemy.exc import OperationalError


def get_at_once(db: Database, order_id: str) -> Order | None:
    with db.transaction() as tx:
        tx.execute(AT_ONCE)
        return store.get(tx, order_id)


def test_whoever_gets_an_order_has_it_until_their_transaction_ends(db: Database, ana: Ana) -> None:
    order_id = ana.place("k-1").json["id"]

    with db.transaction() as first:
        store.get(first, order_id)
        with pytest.raises(OperationalError, match="lock timeout"):
            get_at_once(db, order_id)

    assert get_at_once(db, order_id)


def test_another_order_is_not_waited_for(db: Database, ana: Ana) -> None:
    ours, other = (ana.place(key).json["id"] for key in ("k-1", "k-2"))

    with db.transaction() as first:
        store.get(first, ours)

        assert get_at_once(db, other)
