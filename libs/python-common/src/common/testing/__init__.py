"""What every service's tests stand on: a real PostgreSQL, an in-memory queue, tokens.

Nothing here is imported by a running service.
"""

from common.testing.cache import REDIS_WITHIN_S, clean_valkey, valkey
from common.testing.contracts import promised
from common.testing.database import (
    AT_ONCE,
    PATIENCE,
    analyze,
    clean_database,
    migrated_database,
    published,
    until_a_session_waits,
)
from common.testing.environment import JWT_SECRET, bearer, token
from common.testing.queues import FakeSqs, Outcome, deliver

__all__ = [
    "AT_ONCE",
    "JWT_SECRET",
    "PATIENCE",
    "REDIS_WITHIN_S",
    "FakeSqs",
    "Outcome",
    "analyze",
    "bearer",
    "clean_database",
    "clean_valkey",
    "deliver",
    "migrated_database",
    "promised",
    "published",
    "token",
    "until_a_session_waits",
    "valkey",
]
