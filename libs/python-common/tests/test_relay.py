"""What commits is published, what rolls back is not, and nothing is skipped."""

from typing import Any, cast

import pytest
from common import relay
from common.db import Database
from common.events import EVENT_BYTES_MAX, Event, EventTooLarge, outbox, parse, publish
from sqlalchemy import func, select, update

TOPIC = "arn:aws:sns:us-east-1:000000000000:probe-events"


class FakeSns:
    """`PublishBatch` over a list; `refuse` names the ids that come back as failed."""

    def __init__(self, *, refuse: set[str] | None = None, down: bool = False) -> None:
        self.sent: list[str] = []
        self.attributes: list[dict[str, Any]] = []
        self.refuse = refuse or set()
        self.down = down

    def publish_batch(self, **request: Any) -> dict[str, Any]:
        if self.down:
            raise ConnectionError("no topic")
        entries = request["PublishBatchRequestEntries"]
        self.sent += [e["Id"] for e in entries if e["Id"] not in self.refuse]
        self.attributes += [e["MessageAttributes"] for e in entries]
        return {"Failed": [{"Id": e["Id"], "Code": "x"} for e in entries if e["Id"] in self.refuse]}


def run(db: Database, sns: FakeSns) -> int:
    return relay.run_once(db, cast("Any", sns), TOPIC)


def record(db: Database, *events: Event) -> None:
    with db.transaction() as tx:
        publish(tx, *events)


def unpublished(db: Database) -> int:
    with db.transaction() as tx:
        count = tx.scalar(
            select(func.count()).select_from(outbox).where(outbox.c.published_at.is_(None))
        )
        return count or 0


def test_events_are_published_once_in_the_order_they_were_recorded(db: Database) -> None:
    events = [Event("thing.happened", str(n), {}) for n in range(3)]
    record(db, *events)
    sns = FakeSns()

    counts = [run(db, sns), run(db, sns)]

    assert counts == [3, 0]
    assert sns.sent == [event.id for event in events]
    assert sns.attributes[0]["event_type"]["StringValue"] == "thing.happened"


def test_what_no_consumer_would_take_is_not_accepted(db: Database) -> None:
    """Measured as they measure it: in bytes, of which an ä has two."""
    fits = Event("thing.happened", "a", {"name": "ä" * (EVENT_BYTES_MAX // 2 - 500)})
    too_large = Event("thing.happened", "a", {"name": "ä" * (EVENT_BYTES_MAX // 2)})

    with pytest.raises(EventTooLarge), db.transaction() as tx:
        publish(tx, fits, too_large)
    assert unpublished(db) == 0

    with db.transaction() as tx:
        publish(tx, fits)
        assert parse(fits.to_json("thing")).id == fits.id
    assert unpublished(db) == 1


def test_a_rolled_back_event_is_never_published(db: Database) -> None:
    def record_and_fail() -> None:
        with db.transaction() as tx:
            publish(tx, Event("thing.happened", "a", {}))
            raise ValueError("changed our mind")

    with pytest.raises(ValueError, match="changed our mind"):
        record_and_fail()

    assert run(db, FakeSns()) == 0


def test_a_transaction_that_commits_late_is_not_skipped(db: Database) -> None:
    early, late = Event("thing.happened", "early", {}), Event("thing.happened", "late", {})
    sns = FakeSns()
    with db.transaction() as slow:
        publish(slow, late)  # takes the lower position, commits after the other
        record(db, early)
        run(db, sns)

    run(db, sns)

    assert sns.sent == [early.id, late.id]


def test_events_stay_recorded_while_the_topic_is_down(db: Database) -> None:
    record(db, Event("thing.happened", "a", {}))

    with pytest.raises(ConnectionError):
        run(db, FakeSns(down=True))

    assert unpublished(db) == 1
    assert run(db, FakeSns()) == 1


def test_a_refused_entry_is_tried_again_later_and_its_neighbour_is_not(db: Database) -> None:
    good, bad = Event("thing.happened", "good", {}), Event("thing.happened", "bad", {})
    record(db, good, bad)

    run(db, FakeSns(refuse={bad.id}))
    at_once = run(db, FakeSns())
    with db.transaction() as tx:
        tx.execute(update(outbox).values(next_try_at=func.now()))
    sns = FakeSns()
    run(db, sns)

    assert at_once == 0
    assert sns.sent == [bad.id]


def test_an_entry_that_is_refused_for_days_holds_nobody_up(db: Database) -> None:
    good, bad = Event("thing.happened", "good", {}), Event("thing.happened", "bad", {})
    record(db, bad, good)
    with db.transaction() as tx:
        refused_for_days = update(outbox).where(outbox.c.event_id == bad.id)
        tx.execute(refused_for_days.values(attempts=2_000))

    run(db, FakeSns(refuse={bad.id}))

    assert unpublished(db) == 1
    assert run(db, FakeSns()) == 0


def test_two_relays_do_not_publish_the_same_row(db: Database) -> None:
    record(db, *[Event("thing.happened", str(n), {}) for n in range(15)])
    inner = FakeSns()

    class Outer(FakeSns):
        def publish_batch(self, **request: Any) -> dict[str, Any]:
            run(db, inner)  # a second relay, while the first holds its rows
            return super().publish_batch(**request)

    outer = Outer()
    run(db, outer)

    assert len(outer.sent) == 10
    assert len(inner.sent) == 5
    assert not set(outer.sent) & set(inner.sent)


def test_a_batch_stays_below_what_one_request_may_carry(db: Database) -> None:
    large = {"padding": "x" * 60_000}
    record(db, *[Event("thing.happened", str(n), large) for n in range(6)])
    sns = FakeSns()

    counts = [run(db, sns), run(db, sns), run(db, sns)]

    assert counts == [4, 2, 0]
    assert len(set(sns.sent)) == 6
