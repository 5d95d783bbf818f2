"""The auth service consumes nothing; its worker sends what was published."""

import pytest
import sqlalchemy as sa
from auth import worker
from auth.domain import Customer
from auth.settings import Settings
from auth.use_cases import accounts
from auth.worker import HANDLERS
from common.consumer import UnknownEventType
from common.db import Database
from common.events import Event, outbox
from common.ids import new_id
from common.testing import PATIENCE, deliver
from sqlalchemy import select

TOPIC_ARN = "arn:aws:sns:us-east-1:000000000000:auth-events"


def test_the_worker_relays_and_forgets(db: Database, settings: Settings) -> None:
    with_topic = settings.model_copy(update={"topic_arn": TOPIC_ARN})

    names = {loop.name for loop in worker.loops(with_topic, db)}

    assert names == {"relay", "retention", "sessions"}


def test_with_keys_of_its_own_the_worker_turns_them_over(
    db: Database, jwks_settings: Settings
) -> None:
    assert "signing-keys" in {loop.name for loop in worker.loops(jwks_settings, db)}


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
        accounts.register(tx, ana, "$argon2id$")

    with db.transaction() as tx:
        (row,) = tx.execute(select(outbox))
    assert (row.event_type, row.subject, row.published_at) == ("customer.registered", ana.id, None)


def test_a_misspelt_command_does_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        worker.main(["rol", "ana@example.com", "staff"])

    assert "invalid choice" in capsys.readouterr().err


def test_the_role_of_nobody_is_not_changed(database_url: str, settings: Settings) -> None:
    owner = Database(
        sa.make_url(database_url).set(username="postgres").render_as_string(hide_password=False),
        patience=PATIENCE,
    )

    told = worker.change_role(settings, owner, "nobody@example.com", "staff")

    owner.engine.dispose()
    assert told == "nobody has that address, or is staff already"
