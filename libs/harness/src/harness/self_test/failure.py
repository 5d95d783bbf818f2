"""What a self-test finds wrong. Tests nothing."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Failure:
    """part: of the topology's infrastructure, as `mailbox`; or a process, as `order-worker`.

    reason: what it did not do, to follow its name. fix: a sentence; empty if its log knows best.
    """

    part: str
    reason: str
    fix: str = ""
