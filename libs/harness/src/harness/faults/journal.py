"""What was really done to whom: without an entry here a fault was never planted."""

import itertools
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from harness.faults.rules import Message

# What became of messages that were held back.
RELEASED, LOST = "released", "lost"
# A run plants some hundreds; what is older is of no scenario any more.
ENTRIES_MAX = 10_000


@dataclass(frozen=True)
class Entry:
    """number: counts up from 1. what: the fault's name, or ``released`` for what was held back,
    or ``lost`` if it could not be. label: of the rule, or the toxic's name. trace_id: of the
    request, if it told one."""

    number: int
    at: str
    what: str
    operation: str
    place: str
    messages: Sequence[Message] = ()
    label: str = ""
    trace_id: str = ""


@dataclass
class Journal:
    _entries: deque[Entry] = field(default_factory=lambda: deque(maxlen=ENTRIES_MAX))
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def write(
        self,
        what: str,
        operation: str,
        place: str,
        messages: Iterable[Message] = (),
        label: str = "",
        *,
        trace_id: str = "",
    ) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        number = next(self._numbers)
        self._entries.append(
            Entry(number, at, what, operation, place, tuple(messages), label, trace_id)
        )

    def to_json(self, after: int) -> list[dict[str, Any]]:
        """The entries after the one numbered *after*, oldest first."""
        return [asdict(entry) for entry in self._entries if entry.number > after]
