"""What a customer wants to get, and in which language."""

from common import etags
from sqlalchemy import Connection

from notification.domain.preferences import Choice, Preferences
from notification.store import preferences


def read_preferences(tx: Connection, customer_id: str) -> Preferences:
    """Version 0 of whoever never chose."""
    return preferences.find(tx, customer_id)


def choose(
    tx: Connection, customer_id: str, choice: Choice, expected_version: int | None
) -> Preferences:
    """For mails from now on. expected_version: None for whichever. Raises VersionMismatch."""
    before = preferences.lock(tx, customer_id)
    etags.check(expected_version, before.version)
    after = Preferences(choice, before.version + 1)
    preferences.save(tx, customer_id, after)
    return after
