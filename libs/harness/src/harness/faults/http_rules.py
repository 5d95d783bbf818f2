"""What is to be done to which HTTP requests, how often. Pure; does nothing itself."""

import re
from enum import StrEnum
from functools import cached_property
from typing import Self

from pydantic import ConfigDict, TypeAdapter, model_validator
from pydantic.dataclasses import dataclass

from harness.faults.rules import HELD_MAX_S, TIMES_MAX, Rules

TRACE_ID = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-")  # W3C Trace Context, traceparent
END_OF_HEAD = b"\r\n\r\n"
ORDER_ID = re.compile(r"/orders/([^/]+)")


class HttpFault(StrEnum):
    """unavailable: answered 503, not done. too_many: answered 429, not done. lose_answer: done,
    and the connection is closed. reset: closed with RST before it is done. delay: done, and
    answered `delay_s` late.
    """

    UNAVAILABLE = "unavailable"
    TOO_MANY = "too_many"
    LOSE_ANSWER = "lose_answer"
    RESET = "reset"
    DELAY = "delay"


@dataclass(config=ConfigDict(extra="forbid"), frozen=True)
class HttpRule:
    """place: a service. method: of HTTP. path: a regular expression for the whole of it, without
    its query. times: how many requests. label: stands with what came of it in the journal.
    """

    fault: HttpFault
    place: str
    method: str
    path: str
    times: int = 1
    delay_s: float = 0.0
    label: str = ""

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        try:
            re.compile(self.path)
        except re.error as error:
            raise ValueError(f"path: {error}") from error
        if not 1 <= self.times <= TIMES_MAX:
            raise ValueError(f"times: from 1 to {TIMES_MAX}")
        if not 0 <= self.delay_s <= HELD_MAX_S:
            raise ValueError(f"delay_s: from 0 to {HELD_MAX_S:g}")
        if (self.fault is HttpFault.DELAY) != bool(self.delay_s):
            raise ValueError("delay_s: how late the answer is; of `delay`, and only of it")
        return self

    def fits(self, place: str, head: "Head") -> bool:
        return (
            self.place == place
            and self.method == head.method
            and re.fullmatch(self.path, head.path) is not None
        )


class Head:
    """A request up to its body. raw: as it came, blank line included.

    Raises ValueError for what is no request of HTTP/1.1, or not all of its head.
    """

    def __init__(self, raw: bytes) -> None:
        if not raw.endswith(END_OF_HEAD):
            raise ValueError("cut off")
        self.raw = raw
        first, *lines = raw.decode("latin-1").split("\r\n")
        self.method, target, _ = first.split(" ")
        self.path = target.partition("?")[0]
        self._lines = lines

    @cached_property
    def _headers(self) -> dict[str, str]:
        pairs = (line.partition(":") for line in self._lines)
        return {name.lower(): value.strip() for name, _, value in pairs}

    @property
    def body_bytes(self) -> int | None:
        """None if only the body itself tells where it ends. Raises ValueError for no number."""
        if "transfer-encoding" in self._headers:
            return None
        return int(self._headers.get("content-length", "0"))

    @property
    def operation(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def order_id(self) -> str:
        """Empty if the path names none."""
        found = ORDER_ID.search(self.path)
        return found[1] if found else ""

    @property
    def trace_id(self) -> str:
        """Empty if the caller told none."""
        found = TRACE_ID.match(self._headers.get("traceparent", ""))
        return found[1] if found else ""


class HttpRulebook(Rules[HttpRule]):
    """The rules in force for every service."""

    def take(self, place: str, head: Head) -> HttpRule | None:
        """The first rule for this request; uses it up once."""
        taken = self.take_first(lambda rule: rule.fits(place, head))
        return taken and taken[0]


def http_rule_of(document: bytes) -> HttpRule:
    """Raises pydantic.ValidationError."""
    return TypeAdapter(HttpRule).validate_json(document)
