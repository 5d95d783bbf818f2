"""Effects exactly once, whatever the queue does."""

from collections.abc import Callable

import pytest
from common.db import Database
from common.errors import IllegalTransition
from common.events import Event
from common.testing import deliver
from pydantic import BaseModel
from sqlalchemy import Connection, text

Handlers = dict[str, Callable[[Connection, Event], None]]


def record(tx: Connection, event: Event) -> None:
    tx.execute(text("INSERT INTO effects VALUES (:subject)"), {"subject": event.subject})


def refuse(tx: Connection, event: Event) -> None:
    record(tx, event)
    raise IllegalTransition(f"{event.subject} cannot do this")


def fail(tx: Connection, event: Event) -> None:
    record(tx, event)
    raise ConnectionError("a neighbour is down")


HANDLERS: Handlers = {"thing.happened": record, "thing.refused": refuse, "thing.failed": fail}


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


def test_the_fifth_failure_moves_the_message_to_the_dead_letter_queue(db: Database) -> None:
    event = Event("thing.failed", "b", {})

    before = deliver(db, HANDLERS, event, receives=4)
    outcome = deliver(db, HANDLERS, event, receives=5)

    assert before.dead == []
    assert outcome.left == []
    assert [reason for _, reason in outcome.dead] == ["ConnectionError: a neighbour is down"]
    assert effects(db) == []


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
        ("x" * 70_000, "MalformedEvent: body of 70000 characters"),
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
