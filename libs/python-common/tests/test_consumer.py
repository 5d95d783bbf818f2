"""Effects exactly once, whatever the queue does."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
import structlog
from common import consumer
from common.consumer import Prepare, Queue
from common.db import TRANSACTION_TIMEOUT_MS, Database
from common.errors import IllegalTransition
from common.events import Event, MalformedEvent
from common.testing import FakeSqs, deliver, queues
from pydantic import BaseModel
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

Handlers = dict[str, Callable[[Connection, Event], None]]


def record(tx: Connection, event: Event) -> None:
    tx.execute(text("INSERT INTO effects VALUES (:subject)"), {"subject": event.subject})


def refuse(tx: Connection, event: Event) -> None:
    record(tx, event)
    raise IllegalTransition(f"{event.subject} cannot do this")


def fail(tx: Connection, event: Event) -> None:
    record(tx, event)
    raise ConnectionError("a neighbour is down")


def hang_up(tx: Connection, event: Event) -> None:
    record(tx, event)
    tx.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))


def dawdle(tx: Connection, event: Event) -> None:
    tx.execute(text("SET LOCAL statement_timeout = 1"))
    tx.execute(text("SELECT pg_sleep(60)"))


HANDLERS: Handlers = {"thing.happened": record, "thing.refused": refuse, "thing.failed": fail}


@pytest.fixture(autouse=True)
def things_are_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """No contract promises a thing; services' events are held to theirs."""
    monkeypatch.setattr(queues, "hold_to_contract", lambda _: None)


def effects(db: Database) -> list[str]:
    with db.transaction() as tx:
        return sorted(tx.execute(text("SELECT subject FROM effects")).scalars())


def test_an_event_delivered_twice_in_one_batch_has_one_effect(db: Database) -> None:
    event = Event("thing.happened", "a", {})

    outcome = deliver(db, HANDLERS, event, event)

    assert effects(db) == ["a"]
    assert outcome.left == []


def test_an_event_delivered_again_later_has_no_second_effect(db: Database) -> None:
    event = Event("thing.happened", "a", {})

    deliver(db, HANDLERS, event)
    outcome = deliver(db, HANDLERS, event)

    assert effects(db) == ["a"]
    assert outcome.left == []


def test_a_failing_event_does_not_take_its_neighbours_with_it(db: Database) -> None:
    good, bad, also_good = (
        Event("thing.happened", "a", {}),
        Event("thing.failed", "b", {}),
        Event("thing.happened", "c", {}),
    )

    outcome = deliver(db, HANDLERS, good, bad, also_good)

    assert effects(db) == ["a", "c"]
    assert len(outcome.left) == 1
    assert outcome.dead == []


def test_a_message_of_a_batch_that_failed_stays_hidden_until_its_turn(db: Database) -> None:
    events = [Event(f"thing.{what}", what, {}) for what in ("happened", "failed", "happened")]
    sqs = FakeSqs([event.to_json("test") for event in events])

    consumer.run_once(Queue(cast("Any", sqs), "http://sqs/q", "http://sqs/q-dlq", 0), HANDLERS, db)

    assert sqs.kept_hidden == [["0", "1", "2"], ["1", "2"], ["2"]]


def test_a_message_stays_hidden_for_longer_than_a_transaction_takes() -> None:
    assert 1.5 * TRANSACTION_TIMEOUT_MS <= consumer.VISIBILITY_S * 1000


def test_the_fifth_failure_moves_the_message_to_the_dead_letter_queue(db: Database) -> None:
    event = Event("thing.failed", "b", {})

    before = deliver(db, HANDLERS, event, receives=4)
    outcome = deliver(db, HANDLERS, event, receives=5)

    assert before.dead == []
    assert outcome.left == []
    assert [reason for _, reason in outcome.dead] == ["ConnectionError: a neighbour is down"]
    assert effects(db) == []


def test_a_database_that_goes_away_is_no_messages_fault(db: Database) -> None:
    """However often the message came: it stays, and nothing is said about it."""
    event, sqs = Event("thing.interrupted", "b", {}), FakeSqs([])
    sqs.bodies.append(event.to_json("thing"))
    queue = Queue(cast("Any", sqs), queues.INBOX, queues.DEAD_LETTERS, wait_s=0)

    for _ in range(2 * consumer.RECEIVES_MAX):
        with pytest.raises(OperationalError):
            consumer.run_once(queue, {"thing.interrupted": hang_up}, db)

    assert sqs.dead == []
    assert len(sqs.left) == 1
    assert effects(db) == []


def test_a_statement_that_is_too_slow_is_its_messages_fault(db: Database) -> None:
    event = Event("thing.slow", "b", {})

    outcome = deliver(db, {"thing.slow": dawdle}, event, receives=5)

    assert [reason.split()[0] for _, reason in outcome.dead] == ["OperationalError:"]


def test_what_was_rolled_back_is_not_logged_as_handled(db: Database) -> None:
    good, bad = Event("thing.happened", "a", {}), Event("thing.failed", "b", {})

    with structlog.testing.capture_logs() as logged:
        deliver(db, HANDLERS, good, bad)

    handled = [line["subject"] for line in logged if line["event"] == "event_handled"]
    assert handled == ["a"]


def test_every_event_of_a_batch_is_logged_though_nobody_traces(db: Database) -> None:
    """Then all spans are one object, which does nothing."""
    events = [Event("thing.happened", subject, {}) for subject in ("a", "b", "c")]

    with structlog.testing.capture_logs() as logged:
        deliver(db, HANDLERS, *events)

    handled = [line["subject"] for line in logged if line["event"] == "event_handled"]
    assert handled == ["a", "b", "c"]


def test_an_illegal_transition_is_dead_lettered_at_once_and_changes_nothing(db: Database) -> None:
    outcome = deliver(db, HANDLERS, Event("thing.refused", "b", {}))

    assert effects(db) == []
    assert outcome.left == []
    assert [reason for _, reason in outcome.dead] == ["IllegalTransition: b cannot do this"]


def test_data_of_another_schema_is_dead_lettered_at_once_without_its_values(db: Database) -> None:
    class Thing(BaseModel):
        number: int

    def read(tx: Connection, event: Event) -> None:
        record(tx, event)
        Thing.model_validate(event.data)

    event = Event("thing.happened", "a", {"number": "a secret"})

    outcome = deliver(db, {"thing.happened": read}, event)

    assert effects(db) == []
    assert len(outcome.dead) == 1
    assert outcome.dead[0][1].startswith("ValidationError: number: Input should be a valid integer")
    assert "a secret" not in outcome.dead[0][1]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("not json", "MalformedEvent: body: Invalid JSON"),
        ("{}", "MalformedEvent: specversion: Field required"),
        ("", "MalformedEvent: body: Invalid JSON"),
        ("ü" * 123_000, "MalformedEvent: body of 246000 bytes"),
        (Event("thing.unheard", "a", {}).to_json("t"), "UnknownEventType: no handler for"),
        (
            Event("thing.happened", "a", {}, id="not-a-uuid").to_json("t"),
            "MalformedEvent: id: String should match pattern",
        ),
    ],
    ids=["no JSON", "no envelope", "empty", "too large", "unknown type", "bad id"],
)
def test_what_is_no_event_of_ours_is_dead_lettered_with_the_reason(
    db: Database, body: str, reason: str
) -> None:
    outcome = deliver(db, HANDLERS, body, Event("thing.happened", "good", {}))

    assert effects(db) == ["good"]
    assert outcome.left == []
    assert len(outcome.dead) == 1
    assert outcome.dead[0][1].startswith(reason)


# --- Before the handlers of a batch


def _deliver_once(db: Database, prepare: Prepare, *events: Event) -> FakeSqs:
    sqs = FakeSqs([event.to_json("test") for event in events])
    queue = Queue(cast("Any", sqs), "https://queue.example/in", "https://queue.example/dead", 0)
    consumer.run_once(queue, HANDLERS, db, prepare)
    return sqs


def test_a_batch_is_prepared_once_with_all_events_that_are_new(db: Database) -> None:
    old, new, another = (Event("thing.happened", name, {}) for name in "abc")
    deliver(db, HANDLERS, old)
    prepared: list[list[str]] = []

    def prepare(tx: Connection, events: Sequence[Event]) -> None:
        prepared.append([event.subject for event in events])
        assert effects(db) == ["a"], "no handler has run yet"

    sqs = _deliver_once(db, prepare, old, new, another, new)

    assert prepared == [["b", "c"]]
    assert effects(db) == ["a", "b", "c"]
    assert sqs.left == []


def test_a_batch_of_known_events_is_not_prepared(db: Database) -> None:
    event = Event("thing.happened", "a", {})
    deliver(db, HANDLERS, event)

    def prepare(tx: Connection, events: Sequence[Event]) -> None:
        pytest.fail("there is nothing to prepare for")

    assert _deliver_once(db, prepare, event).left == []


def test_what_prepares_a_batch_is_undone_with_it(db: Database) -> None:
    def prepare(tx: Connection, events: Sequence[Event]) -> None:
        for event in events:
            tx.execute(
                text("INSERT INTO effects VALUES (:subject)"), {"subject": f"for {event.subject}"}
            )

    good, bad = Event("thing.happened", "a", {}), Event("thing.failed", "b", {})

    _deliver_once(db, prepare, good, bad)

    assert effects(db) == ["a", "for a"]


def test_an_event_that_cannot_be_prepared_does_not_take_its_neighbours_with_it(
    db: Database,
) -> None:
    def prepare(tx: Connection, events: Sequence[Event]) -> None:
        if any(event.subject == "b" for event in events):
            raise MalformedEvent("b is malformed")

    good, bad = Event("thing.happened", "a", {}), Event("thing.happened", "b", {})

    sqs = _deliver_once(db, prepare, bad, good)

    assert effects(db) == ["a"]
    assert [reason for _, reason in sqs.dead] == ["MalformedEvent: b is malformed"]


def test_no_transaction_outlives_the_handlers_budget(database_url: str) -> None:
    with Database(database_url).transaction() as tx:  # With a shop's own patience.
        assert tx.execute(text("SHOW transaction_timeout")).scalar_one() == "10s"


class SelfTesting(FakeSqs):
    """Every message is marked as a self-test's, whatever its body says."""

    def receive_message(self, **request: Any) -> dict[str, Any]:
        answer = super().receive_message(**request)
        for message in answer["Messages"]:
            message["MessageAttributes"] = {
                "event_type": {"DataType": "String", "StringValue": "thing.happened"},
                consumer.SELF_TEST: {"DataType": "String", "StringValue": "token-1"},
            }
        return answer


@pytest.mark.parametrize(
    "body", ["{}", Event("thing.happened", "a", {}).to_json("thing")], ids=["no event", "an event"]
)
def test_a_self_tests_message_is_acknowledged_and_has_no_effect(db: Database, body: str) -> None:
    sqs = SelfTesting([body])

    with structlog.testing.capture_logs() as lines:
        consumer.run_once(
            Queue(cast("Any", sqs), "http://sqs/q", "http://sqs/q-dlq", 0), HANDLERS, db
        )

    assert (sqs.left, sqs.dead, effects(db)) == ([], [], [])
    assert [(line["event"], line["event_type"], line["self_test"]) for line in lines] == [
        ("self_test_acknowledged", "thing.happened", "token-1")
    ]
