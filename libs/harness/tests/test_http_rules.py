"""What is to be done to which requests, and what a request says of itself."""

from typing import Any

import httpx
import pytest
from harness.faults.http_rules import Head, HttpFault, HttpRule, HttpRulebook, http_rule_of
from pydantic import ValidationError


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"path": "("}, "path"),
        ({"times": 0}, "times: from 1"),
        ({"delay_s": 99}, "delay_s: from 0"),
        ({"delay_s": 1}, "of `delay`, and only of it"),
        ({"fault": "delay"}, "of `delay`, and only of it"),
        ({"place": None}, "place"),
        ({"when": 1}, "when"),
    ],
)
def test_impossible_rules_are_refused(wrong: dict[str, Any], why: str) -> None:
    right = {"fault": "reset", "place": "order", "method": "POST", "path": "/orders"}

    with pytest.raises(ValidationError, match=why):
        http_rule_of(httpx.Request("POST", "http://x", json=right | wrong).content)


@pytest.mark.parametrize("raw", [b"", b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x"])
def test_what_is_no_request_has_no_head(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"unpack|cut off"):
        Head(raw)


def test_what_a_request_does_not_say_is_empty() -> None:
    head = Head(b"GET /cart?for=/orders/o-1 HTTP/1.1\r\nHost: x\r\n\r\n")

    assert (head.operation, head.order_id, head.trace_id) == ("GET /cart", "", "")
    assert head.body_bytes == 0


def test_what_did_not_happen_waits_again_unless_all_was_forgotten() -> None:
    rules, rule = HttpRulebook(), HttpRule(HttpFault.RESET, "order", "GET", "/orders")

    rules.give_back(rule, rules.era)
    assert [one["times"] for one in rules.unused()] == [1]
    era = rules.era
    rules.clear()
    rules.give_back(rule, era)
    assert rules.unused() == []
