import pytest
from catalog.domain.products import Availability, Listing
from catalog.store import products as store
from catalog.worker import HANDLERS
from common.consumer import RECEIVES_MAX
from common.db import Database
from common.events import Event
from common.testing import deliver

EARLY, LATE = "2017-01-01T12:00:00+00:00", "2017-01-01T12:00:01Z"


@pytest.fixture(autouse=True)
def mug(db: Database) -> None:
    with db.transaction() as tx:
        store.add(tx, Listing("MUG-1", "Mug", "KITCHEN", "CUPS", 950))


def stock_low(available: int, time: str = EARLY, sku: str = "MUG-1") -> Event:
    return Event("stock.low", sku, {"sku": sku, "available": available}, time=time)


def stock_replenished(time: str = LATE) -> Event:
    return Event("stock.replenished", "MUG-1", {"sku": "MUG-1", "available": 40}, time=time)


def availability(db: Database) -> Availability:
    with db.transaction() as tx:
        return store.get(tx, "MUG-1").availability


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        (stock_low(3), Availability.LIMITED),
        (stock_low(0), Availability.OUT_OF_STOCK),
        (stock_replenished(), Availability.IN_STOCK),
    ],
    ids=["few left", "none left", "replenished"],
)
def test_stock_news_changes_the_badge(db: Database, event: Event, shown: Availability) -> None:
    outcome = deliver(db, HANDLERS, event)

    assert availability(db) is shown
    assert (outcome.left, outcome.dead) == ([], [])


def test_the_same_news_twice_is_one(db: Database) -> None:
    low = stock_low(0)

    deliver(db, HANDLERS, low, low)
    outcome = deliver(db, HANDLERS, low)

    assert availability(db) is Availability.OUT_OF_STOCK
    assert (outcome.left, outcome.dead) == ([], [])


@pytest.mark.parametrize("in_order", [True, False])
def test_the_later_news_wins_whichever_arrives_first(db: Database, *, in_order: bool) -> None:
    news = [stock_low(0, EARLY), stock_replenished(LATE)]

    for event in news if in_order else reversed(news):
        deliver(db, HANDLERS, event)

    assert availability(db) is Availability.IN_STOCK


def test_news_of_what_is_not_sold_here_changes_nothing(db: Database) -> None:
    outcome = deliver(db, HANDLERS, stock_low(0, sku="NO-1"), stock_low(0, sku="' OR true --"))

    assert availability(db) is Availability.IN_STOCK
    assert (outcome.left, outcome.dead) == ([], [])


def test_members_that_came_later_are_ignored(db: Database) -> None:
    data = {"sku": "MUG-1", "available": 1, "warehouse": "north"}

    deliver(db, HANDLERS, Event("stock.low", "MUG-1", data))

    assert availability(db) is Availability.LIMITED


@pytest.mark.parametrize(
    "event",
    [
        Event("stock.low", "MUG-1", {}),
        Event("stock.low", "MUG-1", {"sku": "MUG-1"}),
        Event("stock.low", "MUG-1", {"sku": "MUG-1", "available": -1}),
        Event("stock.low", "MUG-1", {"sku": "MUG-1", "available": "0"}),
        Event("stock.replenished", "MUG-1", {"sku": "a\x00", "available": 1}),
        Event("stock.replenished", "MUG-1", {"sku": 7, "available": 1}),
        stock_low(0, time="yesterday"),
        stock_low(0, time="2017-01-01T12:00:00"),
    ],
    ids=["empty", "no level", "negative", "text", "NUL", "number", "no time", "naive time"],
)
def test_what_is_no_stock_level_is_dead_lettered_with_the_reason(
    db: Database, event: Event
) -> None:
    outcome = deliver(db, HANDLERS, event, receives=RECEIVES_MAX)

    assert availability(db) is Availability.IN_STOCK
    assert outcome.left == []
    assert [reason.partition(":")[0] for _, reason in outcome.dead] == ["ValidationError"]
