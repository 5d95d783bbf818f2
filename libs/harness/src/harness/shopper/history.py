"""What the shoppers saw: every operation, and whether it happened, did not, or may have.

Jepsen's three outcomes. A time-out is `unknown`: a checker may assume neither that the order
was placed nor that it was not.
"""

import threading
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

import orjson

# Of something that nobody may do, by somebody who tries it all the same.
ATTEMPT = "attempt"


class Outcome(StrEnum):
    OK = "ok"  # the shop said yes
    FAIL = "fail"  # the shop said no: it definitely did not happen
    UNKNOWN = "unknown"  # no answer, or one that does not say


@dataclass(frozen=True, slots=True)
class Operation:
    """One request of one shopper.

    kind: ``place_order``, ``cancel_order``, ``read_order``, …
    started_at, finished_at: seconds since the epoch, by the shopper's clock.
    status: HTTP status, None when there was no answer.
    customer_id: as the shop calls the shopper; empty before they have come in.
    if_match: the version that was to be changed, if the shopper said one (RFC 9110 §13.1.1).
    version: of what was read or written, if the answer tells it.
    detail: why not, or what an `ATTEMPT` was about.
    """

    kind: str
    shopper: str
    outcome: Outcome
    started_at: float
    finished_at: float
    status: int | None = None
    trace_id: str | None = None
    order_id: str | None = None
    key: str | None = None  # the Idempotency-Key sent
    detail: str = ""
    order_status: str | None = None  # as the answer tells it
    customer_id: str = ""
    if_match: int | None = None
    version: int | None = None

    @property
    def duration_ms(self) -> float:
        return (self.finished_at - self.started_at) * 1000


@dataclass(slots=True)
class History:
    """Append-only; shared by all shopper threads."""

    _operations: list[Operation] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def record(self, operation: Operation) -> None:
        with self._lock:
            self._operations.append(operation)

    def operations(self, kind: str | None = None) -> list[Operation]:
        """All so far, or those of one *kind*, in the order they finished."""
        with self._lock:
            return [op for op in self._operations if kind is None or op.kind == kind]

    def save(self, path: Path) -> None:
        """One JSON object a line."""
        lines = [orjson.dumps(asdict(operation)) for operation in self.operations()]
        path.write_bytes(b"\n".join(lines) + b"\n")
