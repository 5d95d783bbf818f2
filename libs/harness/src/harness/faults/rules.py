"""What is to be done to which messages, how often. Pure; does nothing itself."""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Generic, Protocol, Self, TypeVar

from pydantic import ConfigDict, TypeAdapter, model_validator
from pydantic.dataclasses import dataclass

# A message that is held back for another one goes on after this long, so that none is lost.
HELD_MAX_S = 20.0
TIMES_MAX = 1_000
PID_MIN = 2  # Never the machine's first process, nor a group (0 and below).


class Operation(StrEnum):
    PUBLISH = "publish"  # A service tells its topic.
    RECEIVE = "receive"  # A queue hands messages to a service.
    DELETE = "delete"  # A service has done with a message.


class Fault(StrEnum):
    """drop: told as done, and not done; on receiving: not handed over, so it comes again later.

    duplicate: done twice. delay: told as done, done after `delay_s`. hold: told as done, done after
    an event of type `until` was told. refuse: answered 503, not done. refuse_entry: answered 200,
    in which these messages of the batch are refused, and not done. lose_answer: done, and the
    connection is closed. garble: half of the message's text arrives. kill_before, kill_after: the
    process `pid` dies, by SIGKILL, before or after it is done, and gets no answer.
    """

    DROP = "drop"
    DUPLICATE = "duplicate"
    DELAY = "delay"
    HOLD = "hold"
    REFUSE = "refuse"
    REFUSE_ENTRY = "refuse_entry"
    LOSE_ANSWER = "lose_answer"
    GARBLE = "garble"
    KILL_BEFORE = "kill_before"
    KILL_AFTER = "kill_after"


# What a delay, an order of arrival, a text or an entry can be of: telling. The rest is of all.
OF_PUBLISHING_ONLY = frozenset({Fault.DELAY, Fault.HOLD, Fault.GARBLE, Fault.REFUSE_ENTRY})
KILLS = frozenset({Fault.KILL_BEFORE, Fault.KILL_AFTER})
NOT_OF_DELETING = frozenset({Fault.DUPLICATE})


@dataclass(config=ConfigDict(extra="forbid"), frozen=True)
class Rule:
    """event_type: a regular expression for the whole of it. place: of a topic or queue, or all.

    subject: what the event is about, e.g. an order's id; all, if empty. times: how many requests.
    label: stands with what came of it in the journal. pid, create_time: a process; a pid alone may
    be a stranger's by the time its message comes.
    """

    fault: Fault
    operation: Operation = Operation.PUBLISH
    event_type: str = ".*"
    place: str = ""
    subject: str = ""
    times: int = 1
    delay_s: float = 0.0
    until: str = ""
    pid: int = 0
    create_time: float = 0.0
    label: str = ""

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        try:
            re.compile(self.event_type)
        except re.error as error:
            raise ValueError(f"event_type: {error}") from error
        if not 1 <= self.times <= TIMES_MAX:
            raise ValueError(f"times: from 1 to {TIMES_MAX}")
        if not 0 <= self.delay_s <= HELD_MAX_S:
            raise ValueError(f"delay_s: from 0 to {HELD_MAX_S:g}")
        if self.fault in OF_PUBLISHING_ONLY and self.operation is not Operation.PUBLISH:
            raise ValueError(f"{self.fault}: of publishing only")
        if self.fault in NOT_OF_DELETING and self.operation is Operation.DELETE:
            raise ValueError(f"{self.fault}: not of deleting, which is the same twice")
        if (self.fault is Fault.HOLD) != bool(self.until):
            raise ValueError("until: what a message is held back for; of `hold`, and only of it")
        names_one = self.pid >= PID_MIN, self.create_time > 0
        if names_one != (self.fault in KILLS,) * 2:
            raise ValueError("pid, create_time: whom to kill; of a kill, and only of it")
        return self

    def fits(self, message: "Message") -> bool:
        return (
            self.place in {"", message.place}
            and self.subject in {"", message.subject}
            and re.fullmatch(self.event_type, message.event_type) is not None
        )


@dataclass(frozen=True)
class Message:
    """What a proxy can tell of one message. key: its entry's id, or its receipt handle."""

    place: str
    event_type: str = ""
    event_id: str = ""
    subject: str = ""
    key: str = ""


class Counted(Protocol):
    @property
    def times(self) -> int: ...


R = TypeVar("R", bound=Counted)
Hit = TypeVar("Hit")


class Rules(Generic[R]):
    """The rules in force. Each is used up by as many requests as it says."""

    def __init__(self) -> None:
        self._left: list[tuple[R, int]] = []
        self.era = 0  # How often they were all forgotten.

    def add(self, rule: R) -> None:
        self._left.append((rule, rule.times))

    def clear(self) -> None:
        self._left.clear()
        self.era += 1

    def give_back(self, rule: R, era: int) -> None:
        """What it was taken for in *era* did not happen; what is forgotten stays forgotten."""
        if era == self.era:
            self._left.insert(0, (rule, 1))

    def take_first(self, fits: Callable[[R], Hit]) -> tuple[R, Hit] | None:
        """The first rule that *fits*, and what of; uses it up once."""
        for number, (rule, left) in enumerate(self._left):
            if hit := fits(rule):
                self._left[number : number + 1] = [(rule, left - 1)] if left > 1 else []
                return rule, hit
        return None

    def unused(self) -> list[dict[str, Any]]:
        """The rules that still wait, as JSON."""
        return [
            TypeAdapter(type(rule)).dump_python(rule, mode="json") | {"times": left}
            for rule, left in self._left
        ]


class Rulebook(Rules[Rule]):
    """The rules in force for messages."""

    def take(
        self, operation: Operation, messages: list[Message]
    ) -> tuple[Rule, list[Message]] | None:
        """The first rule for this request, and the messages that it is about; uses it up once."""
        return self.take_first(
            lambda rule: [m for m in messages if rule.operation is operation and rule.fits(m)]
        )


def rule_of(document: bytes) -> Rule:
    """Raises pydantic.ValidationError."""
    return TypeAdapter(Rule).validate_json(document)
