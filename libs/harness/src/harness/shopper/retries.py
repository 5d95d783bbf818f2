"""When a shopper asks again, as clients should: the same request, bounded. Sends nothing itself."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_result,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential,
    wait_random,
)

from harness.shopper.history import Outcome

# A lost answer may have done what was asked, so it is asked again, with the same key, this often
# and no longer in all: as the SDKs of payment providers do it.
ATTEMPTS_MAX = 7
GIVE_UP_AFTER_S = 30.0
# After 0.2, 0.4, 0.8, 1.6, 2 and 2 s, and up to 0.2 s more: as long as a killed process is away.
RETRY_S, RETRY_S_MAX = 0.2, 2.0
# Nobody waits longer than this before a page that asks for patience (RFC 9110 §10.2.3).
PATIENCE_S = 5.0
# Answers that say "not now" rather than yes or no (RFC 9110 §15.6.4, RFC 6585 §4, and a proxy's).
TRY_AGAIN = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one try.

    status: None if nothing came. retry_after_s: what it asks for; 0 if it does not say.
    tries: how many it took.
    """

    status: int | None
    body: dict[str, Any]
    retry_after_s: float = 0.0
    tries: int = 1

    @property
    def outcome(self) -> Outcome:
        if self.status == httpx.codes.PRECONDITION_FAILED and self.tries > 1:
            return Outcome.UNKNOWN  # It may be one of the tries before that has changed it.
        if self.is_in_flight or self.status is None:
            return Outcome.UNKNOWN
        if self.status >= httpx.codes.INTERNAL_SERVER_ERROR:
            return Outcome.UNKNOWN
        return Outcome.OK if self.status < httpx.codes.BAD_REQUEST else Outcome.FAIL

    @property
    def is_in_flight(self) -> bool:
        """An earlier try is still at work: nobody knows yet what it will have done."""
        return str(self.body.get("type", "")).endswith("/request-in-flight")

    @property
    def is_to_be_repeated(self) -> bool:
        """Nobody knows, or it is "not now", and for no longer than anybody waits."""
        not_now = self.status in TRY_AGAIN or self.outcome is Outcome.UNKNOWN
        return not_now and self.retry_after_s <= PATIENCE_S


def until_answered(ask: Callable[[], Answer], sleep: Callable[[float], None]) -> Answer:
    """The first answer that says yes or no, or the last one of all tries."""
    repeating: Retrying = Retrying(
        sleep=sleep,
        stop=stop_after_attempt(ATTEMPTS_MAX) | stop_after_delay(GIVE_UP_AFTER_S),
        wait=_wait,
        retry=retry_if_result(lambda answer: answer.is_to_be_repeated),
        retry_error_callback=_result,
    )
    answer: Answer = repeating(ask)
    return replace(answer, tries=repeating.statistics["attempt_number"])


def retry_after_s(response: httpx.Response) -> float:
    """A date, which no service of ours sends, is too far away."""
    asked = response.headers.get("Retry-After", "0")
    return float(asked) if asked.isdecimal() else float("inf")


_pause = wait_exponential(multiplier=RETRY_S, max=RETRY_S_MAX) + wait_random(0, RETRY_S)


def _wait(state: RetryCallState) -> float:
    return max(_pause(state), _result(state).retry_after_s)


def _result(state: RetryCallState) -> Answer:
    assert state.outcome is not None, "tenacity asks after an attempt only"
    answer: Answer = state.outcome.result()
    return answer
