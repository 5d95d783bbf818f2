"""One thing that is wrong, in words for people, and where to look."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """what: the same words for equal ones, so that they can be counted; no number, no id.

    expected, found: the two values that disagree; money in units, as `pricing.shown` says it.
    about: what else it concerns, with its id: a payment, a SKU, an event, a queue.
    at: when that came about, in seconds since the epoch, where no order says it.
    """

    what: str
    order_id: str | None = None
    trace_id: str | None = None
    expected: str = ""
    found: str = ""
    about: str = ""
    at: float | None = None

    @property
    def values(self) -> str:
        """``expected 1, found 2 (payment pay_1)``, as far as there is anything to say."""
        parts = [
            f"expected {self.expected}" if self.expected else "",
            f"found {self.found}" if self.found else "",
        ]
        said = ", ".join(part for part in parts if part)
        return f"{said} ({self.about})" if said and self.about else said or self.about

    @property
    def message(self) -> str:
        """All of it on one line, but for order and trace."""
        return f"{self.what}: {self.values}" if self.values else self.what


@dataclass(frozen=True, slots=True)
class Group:
    """Violations of one invariant that say the same, the first of which stands for all."""

    what: str
    violations: Sequence[Violation]

    @property
    def first(self) -> Violation:
        return self.violations[0]


def grouped(violations: Sequence[Violation]) -> list[Group]:
    """Equal ones together, the most frequent first."""
    by_what: dict[str, list[Violation]] = {}
    for violation in violations:
        by_what.setdefault(violation.what, []).append(violation)
    groups = (Group(what, those) for what, those in by_what.items())
    return sorted(groups, key=lambda group: -len(group.violations))


def listed(lines: Mapping[str, int]) -> str:
    """``2 × MUG-1, 1 × POT-7``. lines: SKU -> quantity."""
    return ", ".join(f"{count} × {sku}" for sku, count in sorted(lines.items())) or "nothing"
