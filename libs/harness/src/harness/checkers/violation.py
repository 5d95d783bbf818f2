"""One thing that is wrong, and where to look."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """message: a sentence with the two values that disagree."""

    message: str
    order_id: str | None = None
    trace_id: str | None = None
