"""What a fault is: of what, between which parts, and how it begins and ends. Knows none by name."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from harness.faults.planter import Faults

# How long what is broken stays so: from, to.
BROKEN_S = (1.0, 3.0)
# As the proxies call the line to it. Who writes there tries again for ten seconds.
TRACE_STORE = "otlp"
# How to end a fault that lasts; None if it ends by itself.
Ending = Callable[[], object] | None


class Seam(StrEnum):
    """Between which parts a fault is."""

    MESSAGES = "messages"
    PROCESSES = "processes"
    LINES = "lines"
    EDGES = "edges"
    STORES = "stores"


@dataclass(frozen=True, slots=True)
class Target:
    """What one fault is about; which fields count depends on its kind.

    event: a type of events. until: another one. process: by its name in `cartwright status`.
    place: see `harness.faults.places`, or a service. queue: by its name in the topology.
    request: a method, and a regular expression for the path.
    """

    event: str = ""
    until: str = ""
    process: str = ""
    place: str = ""
    queue: str = ""
    request: str = ""

    @property
    def fields(self) -> frozenset[str]:
        """Those that say something."""
        return frozenset(name for name, value in asdict(self).items() if value)

    def __str__(self) -> str:
        until = self.until and f"→ {self.until}"
        what = (self.process, self.place, self.queue, self.event, until, self.request)
        return " ".join(filter(None, what))


# Plants one fault; the label stands in the journal with what comes of it.
Plant = Callable[[Faults, Target, str], Ending]


class MetNothing(Exception):
    """There was nothing that the fault could have been done to."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One fault. targets: what a forecast may draw it for. lasts_s: from and to, if it lasts.

    is_in_journal: whether a proxy does it, and notes when it has. Otherwise it is done once
    `plant` has returned.
    """

    name: str
    seam: Seam
    says: str
    plant: Plant
    targets: Sequence[Target]
    lasts_s: tuple[float, float] | None = None
    is_in_journal: bool = False

    @property
    def fields(self) -> frozenset[str]:
        """Those of `Target` that say what it is about."""
        return self.targets[0].fields


def places(*names: str) -> list[Target]:
    return [Target(place=name) for name in names]
