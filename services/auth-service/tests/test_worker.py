"""The auth service consumes nothing; its worker sends what was published."""

from auth import use_cases
from auth.domain import Customer
from auth.settings import Settings
from auth.worker import HANDLERS
from common import worker
from common.consumer import UnknownEventType
from common.db import Database
from common.events import Event, outbox
from common.ids import new_id
from common.testing import deliver
from sqlalchemy import select

TOPIC_ARN = "arn:aws:sns:us-east-1:000000000000:auth-events"


def test_the_worker_relays_and_does_nothing_else(db: Database, settings: Settings) -> None:
    with_topic = settings.model_copy(update={"topic_arn": TOPIC_ARN})

    loops = worker.messaging_loops(with_topic, db, HANDLERS)

    assert [loop.name for loop in loops] == ["relay"]


def test_an_event_that_comes_all_the_same_is_dead_lettered(db: Database) -> None:
    outcome = deliver(db, HANDLERS, Event("order.confirmed", new_id(), {}), "not an event")

    assert outcome.left == []
    assert [reason.partition(":")[0] for _, reason in outcome.dead] == [
        UnknownEventType.__name__,
        "MalformedEvent",
    ]


def test_a_registration_waits_in_the_outbox_for_the_relay(db: Database) -> None:
    ana = Customer(new_id(), "ana@example.com", "Ana")

    with db.transaction() as tx:
        use_cases.register(tx, ana, "$argon2id$")

    with db.transaction() as tx:
        (row,) = tx.execute(select(outbox))
    assert (row.event_type, row.subject, row.published_at) == ("customer.registered", ana.id, None)
