"""Queue entry: `python -m cart.worker`. Event type -> the use case it starts; and the sweeper."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

from common import worker
from common.consumer import Handler, Prepare
from common.db import Database
from common.events import Event
from common.worker import Loop
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import Connection

from cart import use_cases
from cart.clients import CartCache
from cart.settings import Settings

# How often it is looked for carts that have expired: an hour late is not late after a week.
EXPIRE_EVERY_S: Final = 600.0
# Carts of either kind in one transaction: some ten milliseconds of locks, and nobody waits for
# them, as these carts have been left.
EXPIRE_BATCH_SIZE: Final = 500
# How soon Redis hears of carts that changed while it was away.
SETTLE_EVERY_S: Final = 1.0

# PostgreSQL takes no NUL.
_Name = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00]*$")]


class BoughtLine(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    sku: _Name
    quantity: int = Field(strict=True, ge=1)


class OrderConfirmed(BaseModel):
    """`data` of order.confirmed, as far as the cart reads it."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    order_id: UUID
    customer_id: _Name
    lines: list[BoughtLine]


def on_order_confirmed(tx: Connection, event: Event) -> None:
    order = OrderConfirmed.model_validate(event.data)
    bought: Counter[str] = Counter()
    for line in order.lines:
        bought[line.sku] += line.quantity
    use_cases.take_out_bought(tx, str(order.order_id), order.customer_id, bought)


HANDLERS: Mapping[str, Handler] = {"order.confirmed": on_order_confirmed}


def preparing(cache: CartCache) -> Prepare:
    """Before a batch: lock its carts in one order, and have nobody read copies of them.

    The only remote call in a transaction, of a millisecond or TIMEOUT_S: there is no place between
    the consumer's commit and the next batch to say it, and held entries go by themselves.
    """

    def prepare(tx: Connection, events: Sequence[Event]) -> None:
        named = {str(event.data.get("customer_id", "")) for event in events}
        # The handler has the malformed ones buried, with the reason.
        whose = {name for name in named if name and "\x00" not in name}
        if whose:
            cache.hold(use_cases.lock_for_orders(tx, whose))

    return prepare


def expire(db: Database, cache: CartCache, now: datetime | None = None) -> int:
    """One batch; how many carts went. now: for tests, another time."""
    with db.transaction() as tx:
        gone = use_cases.expire(tx, now or datetime.now(UTC), EXPIRE_BATCH_SIZE)
    cache.hold(gone)
    return len(gone)


def settle(cache: CartCache) -> int:
    """Tell Redis what it is owed. Never busy: what is left can wait for the next time."""
    cache.settle()
    return 0


def main() -> None:
    worker.install()
    settings = Settings()
    db = Database(settings.database_url.get_secret_value())
    cache = CartCache(settings.redis_url)
    sweeper = Loop("sweeper", lambda: expire(db, cache), every_s=EXPIRE_EVERY_S)
    teller = Loop("cache", lambda: settle(cache), every_s=SETTLE_EVERY_S)
    others, prepare = [sweeper, teller], preparing(cache)
    worker.run(worker.messaging_loops(settings, db, HANDLERS, others, prepare))


if __name__ == "__main__":
    main()
