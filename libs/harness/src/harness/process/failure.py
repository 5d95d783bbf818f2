"""Why a stack could not be started, for whoever started it."""

from collections.abc import Sequence

# What `python -m harness.process.supervisor` exits with when somebody else holds the home.
EXIT_IN_USE = 3


class CannotStart(RuntimeError):
    """There is no shop to work with; the message says why, and what to do about it.

    log: the last lines of the process that is to blame, if one is.
    """

    log: Sequence[str] = ()


class GivenUp(RuntimeError):
    """A process of a stack that is up does not start; its log tells why."""


class StackDidNotStart(CannotStart):
    """A process died or stayed silent during the start; everything was stopped again.

    process: which one. log: its last lines. fix: what to do about it, in a sentence.
    """

    def __init__(self, process: str, reason: str, log: Sequence[str], fix: str) -> None:
        super().__init__(f"{process} {reason}, so everything was stopped again. {fix}")
        self.process = process
        self.reason = reason
        self.log = list(log)
        self.fix = fix
