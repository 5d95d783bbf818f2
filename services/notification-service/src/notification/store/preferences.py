"""One row for each customer who has chosen anything."""

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert

from notification.domain.preferences import NEVER_CHOSEN, Choice, Language, Preferences
from notification.store.tables import preferences

_OWN = [
    preferences.c.language,
    preferences.c.requested_cancellations,
    preferences.c.version,
]


def find(tx: Connection, customer_id: str) -> Preferences:
    return _read(tx, customer_id, lock=False)


def lock(tx: Connection, customer_id: str) -> Preferences:
    """As they are, and as they stay until this transaction ends.

    Two who choose for the first time at once both need a row to wait for.
    """
    never = NEVER_CHOSEN.choice
    statement = (
        insert(preferences)
        .values(
            customer_id=customer_id,
            language=never.language,
            requested_cancellations=never.requested_cancellations,
            version=NEVER_CHOSEN.version,
        )
        .on_conflict_do_nothing()
    )
    tx.execute(statement)
    return _read(tx, customer_id, lock=True)


def save(tx: Connection, customer_id: str, chosen: Preferences) -> None:
    """Of a customer whose row is locked."""
    tx.execute(
        update(preferences)
        .where(preferences.c.customer_id == customer_id)
        .values(
            language=chosen.choice.language,
            requested_cancellations=chosen.choice.requested_cancellations,
            version=chosen.version,
        )
    )


def _read(tx: Connection, customer_id: str, *, lock: bool) -> Preferences:
    statement = select(*_OWN).where(preferences.c.customer_id == customer_id)
    row = tx.execute(statement.with_for_update() if lock else statement).one_or_none()
    if row is None:
        return NEVER_CHOSEN
    choice = Choice(Language(row.language), row.requested_cancellations)
    return Preferences(choice, row.version)
