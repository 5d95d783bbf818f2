"""Bounds on ids from moments: ids are UUIDv7 (`common.ids`), made when the order is placed."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# An order's id is made milliseconds after its moment is read, in the same process; by a clock that
# may be set meanwhile. What lies between is left to the exact condition on the moment.
_MARGIN_MS: Final = 60_000


def first_since(at: datetime) -> str:
    """No order placed at that moment or later has a lesser id."""
    return _least_id(_unix_ms(at) - _MARGIN_MS)


def first_after(at: datetime) -> str:
    """Every order placed before that moment has a lesser id."""
    return _least_id(_unix_ms(at) + _MARGIN_MS)


def _unix_ms(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)


def _least_id(unix_ms: int) -> str:
    """The least UUID that begins with that moment (RFC 9562 §5.7); before 1970 there is none."""
    return str(UUID(int=max(unix_ms, 0) << 80))
