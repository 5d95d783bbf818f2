"""Keyset paging: opaque cursors and page sizes. Offsets would skip or repeat while rows come in."""

import base64
import binascii
from typing import Final
from uuid import UUID

import orjson

from common.errors import Malformed

# What a caller who names no size gets, and the most anybody gets.
PAGE_SIZE: Final = 20
PAGE_SIZE_MAX: Final = 100
# A cursor holds a few keys of a row; longer ones are not ours.
CURSOR_CHARS_MAX: Final = 1024
# PostgreSQL's bigint; a larger number in a cursor is not ours either.
_BIGINT_MAX: Final = 2**63 - 1


class MalformedCursor(Malformed):
    title = "The cursor is not one of ours"


class MalformedLimit(Malformed):
    title = "The limit is not a page size"


def read_limit(raw: str | None, *, default: int = PAGE_SIZE, largest: int = PAGE_SIZE_MAX) -> int:
    """The page size asked for, 1 to *largest*. Raises MalformedLimit."""
    if raw is None:
        return default
    # isdigit alone would take the digits of every script.
    if not (raw.isascii() and raw.isdigit() and len(raw) <= len(str(largest))):
        raise MalformedLimit(f"a number from 1 to {largest} is needed")
    limit = int(raw)
    if not 1 <= limit <= largest:
        raise MalformedLimit(f"a number from 1 to {largest} is needed")
    return limit


def encode(*keys: str | int) -> str:
    """An opaque place in a list: the sort keys of the last row already seen."""
    return base64.urlsafe_b64encode(orjson.dumps(keys)).rstrip(b"=").decode()


def decode(cursor: str, *types: type) -> tuple[str | int, ...]:
    """The keys that `encode` was given, one of each of *types*. Raises MalformedCursor."""
    if len(cursor) > CURSOR_CHARS_MAX:
        raise MalformedCursor("it is too long")
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        keys = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error) as error:
        raise MalformedCursor("it cannot be read") from error
    if not isinstance(keys, list) or [type(key) for key in keys] != list(types):
        raise MalformedCursor("it is of another list")
    if any(_is_unusable(key) for key in keys):
        raise MalformedCursor("it holds what no row of ours has")
    return tuple(keys)


def decode_id(cursor: str) -> str:
    """The id that `encode` was given, as PostgreSQL reads one. Raises MalformedCursor."""
    (key,) = decode(cursor, str)
    try:
        return str(UUID(str(key)))
    except ValueError as error:
        raise MalformedCursor("it is of another list") from error


def _is_unusable(key: str | int) -> bool:
    """What PostgreSQL would refuse with an error of its own."""
    return "\x00" in key if isinstance(key, str) else abs(key) > _BIGINT_MAX
