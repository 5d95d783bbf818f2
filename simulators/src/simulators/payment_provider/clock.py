"""Moments as milliseconds since the epoch and as RFC 3339 in UTC. One form, so text sorts."""

import time
from datetime import UTC, datetime

MS_PER_S = 1_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def rfc3339(ms: int) -> str:
    """`2026-01-31T12:00:00.000Z`."""
    moment = datetime.fromtimestamp(ms / MS_PER_S, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def in_ms(text: str) -> int:
    """Of an RFC 3339 moment with an offset. Raises ValueError if it is none."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment needs an offset")
    try:
        return int((moment - datetime.fromtimestamp(0, UTC)).total_seconds() * MS_PER_S)
    except OverflowError as error:
        raise ValueError("a moment outside the calendar") from error
