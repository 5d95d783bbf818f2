"""Whether a contract may replace an older one: what a client relied on still holds.

Two directions. What a service *says* (events, answers) may only become narrower or gain optional
members, for a reader of the old schema has to understand it. What it *takes* (request bodies,
parameters) may only become wider, for a writer of the old schema has to be understood.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

Json = dict[str, Any]

# A bound, and whether a larger number lets more through.
_BOUNDS = {
    "maxLength": True,
    "maxItems": True,
    "maximum": True,
    "exclusiveMaximum": True,
    "minLength": False,
    "minItems": False,
    "minimum": False,
    "exclusiveMinimum": False,
}
# Where the one schema says something else, we cannot tell which of them lets more through.
_OPAQUE = ("pattern", "format", "const", "oneOf", "anyOf", "allOf", "$ref")


class Direction(StrEnum):
    SAYS = "says"
    TAKES = "takes"


def breaks(old: Json, new: Json, direction: Direction, at: str = "") -> Iterator[str]:
    """One sentence for each way in which *new* breaks who relies on *old*. Pure.

    Every schema has its references resolved already.
    """
    yield from _types(old, new, direction, at)
    yield from _values(old, new, direction, at)
    yield from _members(old, new, direction, at)
    if "items" in old and "items" in new:
        yield from breaks(old["items"], new["items"], direction, f"{at}/*")


def _types(old: Json, new: Json, direction: Direction, at: str) -> Iterator[str]:
    before, after = _type_set(old), _type_set(new)
    narrow, wide = (after, before) if direction is Direction.SAYS else (before, after)
    if wide and not (narrow and narrow <= wide):
        yield f"{at or '/'}: type was {_listed(before)}, is {_listed(after)}"


def _values(old: Json, new: Json, direction: Direction, at: str) -> Iterator[str]:
    before, after = old.get("enum"), new.get("enum")
    if before != after:
        narrow, wide = (after, before) if direction is Direction.SAYS else (before, after)
        if wide is not None and not (narrow is not None and set(narrow) <= set(wide)):
            yield f"{at or '/'}: values were {before}, are {after}"
    for name, larger_is_wider in _BOUNDS.items():
        if old.get(name) != new.get(name):
            widened = _is_wider(old.get(name), new.get(name), larger_is_wider=larger_is_wider)
            if widened is (direction is Direction.SAYS):
                yield f"{at or '/'}: {name} was {old.get(name)}, is {new.get(name)}"
    for name in _OPAQUE:
        if name in old and old[name] != new.get(name):
            yield f"{at or '/'}: {name} was {old[name]!r}, is {new.get(name)!r}"


def _is_wider(before: float | None, after: float | None, *, larger_is_wider: bool) -> bool:
    if after is None or before is None:
        return after is None
    return (after > before) is larger_is_wider


def _members(old: Json, new: Json, direction: Direction, at: str) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    must_before, must_after = set(old.get("required", ())), set(new.get("required", ()))
    for name in sorted(before.keys() - after.keys()):
        yield f"{at}/{name}: was there, is gone"
    if direction is Direction.SAYS:
        for name in sorted((must_before - must_after) & after.keys()):
            yield f"{at}/{name}: was always there, may now be missing"
    else:
        for name in sorted(must_after - must_before):
            yield f"{at}/{name}: need not be there, is now required"
    for name in sorted(before.keys() & after.keys()):
        yield from breaks(before[name], after[name], direction, f"{at}/{name}")


def _type_set(schema: Json) -> set[str]:
    types = schema.get("type", [])
    return {types} if isinstance(types, str) else set(types)


def _listed(types: set[str]) -> str:
    return " or ".join(sorted(types)) or "anything"
