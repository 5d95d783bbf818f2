"""Which messages a rule is about, how often, and what is no rule at all. Nothing is sent."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from harness.faults import aws_calls, places
from harness.faults.rules import Fault, Message, Operation, Rule, Rulebook, rule_of
from pydantic import ValidationError

PLACED = Message("order-events", "order.placed", "e-1", "o-1", "e-1")
CONFIRMED = Message("order-events", "order.confirmed", "e-2", "o-1", "e-2")
TOPIC = "arn:aws:sns:us-east-1:000000000000:order-events"
QUEUE = "http://queues:4566/000000000000/order-inbox"


def envelope(event_type: str, event_id: str) -> str:
    return json.dumps({"id": event_id, "type": event_type, "subject": "o-1"})


def batch(*events: tuple[str, str]) -> bytes:
    form = {"Action": "PublishBatch", "TopicArn": TOPIC}
    for number, (event_type, event_id) in enumerate(events, 1):
        entry = f"PublishBatchRequestEntries.member.{number}"
        form |= {f"{entry}.Id": event_id, f"{entry}.Message": envelope(event_type, event_id)}
    return urlencode(form).encode()


@pytest.mark.parametrize(
    ("rule", "is_hit"),
    [
        (Rule(Fault.DROP), True),
        (Rule(Fault.DROP, event_type=r"order\..*"), True),
        (Rule(Fault.DROP, event_type="order"), False),
        (Rule(Fault.DROP, place="order-events"), True),
        (Rule(Fault.DROP, place="payment-events"), False),
        (Rule(Fault.DROP, subject="o-1"), True),
        (Rule(Fault.DROP, subject="o-2"), False),
        (Rule(Fault.DROP, operation=Operation.DELETE), False),
    ],
)
def test_a_rule_is_about_what_it_names(rule: Rule, is_hit: bool) -> None:  # noqa: FBT001
    rules = Rulebook()
    rules.add(rule)

    assert (rules.take(Operation.PUBLISH, [PLACED]) is not None) is is_hit


def test_a_rule_is_used_up_as_often_as_it_says() -> None:
    rules = Rulebook()
    rules.add(Rule(Fault.REFUSE, times=2))

    taken = [rules.take(Operation.PUBLISH, [PLACED]) is not None for _ in range(3)]

    assert taken == [True, True, False]
    assert rules.unused() == []


def test_of_a_batch_those_are_hit_that_the_rule_names() -> None:
    rules = Rulebook()
    rules.add(Rule(Fault.DROP, event_type="order.confirmed"))

    taken = rules.take(Operation.PUBLISH, [PLACED, CONFIRMED])

    assert taken is not None
    assert taken[1] == [CONFIRMED]


def test_cleared_rules_wait_for_nothing() -> None:
    rules = Rulebook()
    rules.add(Rule(Fault.DROP))
    rules.clear()

    assert rules.take(Operation.PUBLISH, [PLACED]) is None


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"fault": "explode"}, "fault"),
        ({"fault": "drop", "typo": 1}, "typo"),
        ({"fault": "drop", "times": 0}, "times"),
        ({"fault": "drop", "event_type": "("}, "event_type"),
        ({"fault": "delay", "delay_s": 3600}, "delay_s"),
        ({"fault": "delay", "operation": "receive"}, "of publishing only"),
        ({"fault": "duplicate", "operation": "delete"}, "not of deleting"),
        ({"fault": "hold"}, "until"),
        ({"fault": "drop", "until": "order.placed"}, "until"),
        ({"fault": "kill_before"}, "pid"),
        ({"fault": "kill_before", "pid": 1}, "pid"),
        ({"fault": "kill_after", "pid": -1}, "pid"),
        ({"fault": "kill_after", "pid": 4711}, "create_time"),
        ({"fault": "drop", "pid": 4711}, "pid"),
        ({"fault": "drop", "create_time": 1.5}, "create_time"),
    ],
)
def test_what_is_no_rule_is_refused_with_its_reason(document: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        rule_of(json.dumps(document).encode())


def test_a_batch_is_read_event_by_event() -> None:
    call = aws_calls.read("", batch(("order.placed", "e-1"), ("order.confirmed", "e-2")), {})

    assert call.operation is Operation.PUBLISH
    assert call.messages == [PLACED, CONFIRMED]


def test_what_is_no_event_is_a_message_of_its_place() -> None:
    form = {"Action": "Publish", "TopicArn": TOPIC, "Message": "not json"}

    call = aws_calls.read("", urlencode(form).encode(), {})

    assert call.messages == [Message("order-events")]


def test_a_deletion_is_about_what_was_handed_over() -> None:
    body = json.dumps({"QueueUrl": QUEUE, "Entries": [{"Id": "0", "ReceiptHandle": "r-1"}]})

    call = aws_calls.read("AmazonSQS.DeleteMessageBatch", body.encode(), {"r-1": PLACED})

    assert (call.operation, call.messages) == (Operation.DELETE, [PLACED])
    assert json.loads(aws_calls.done(call)[1]) == {"Successful": [{"Id": "0"}]}


def test_other_requests_are_nobodys_business() -> None:
    call = aws_calls.read("AmazonSQS.GetQueueAttributes", b'{"QueueUrl": "x"}', {})

    assert (call.operation, call.messages, call.body) == (None, [], b'{"QueueUrl": "x"}')


def test_half_of_a_garbled_text_is_left_and_others_are_whole() -> None:
    call = aws_calls.read("", batch(("order.placed", "e-1"), ("order.confirmed", "e-2")), {})

    form = dict(parse_qsl(aws_calls.garbled(call, [PLACED]).decode()))

    texts = [text for key, text in form.items() if key.endswith("Message")]
    whole = envelope("order.placed", "e-1")
    assert texts == [whole[: len(whole) // 2], envelope("order.confirmed", "e-2")]


def test_what_is_refused_in_a_batch_is_left_out_of_it_and_said() -> None:
    told = [("order.placed", "e-1"), ("order.confirmed", "e-2"), ("order.placed", "e-3")]
    call = aws_calls.read("", batch(*told), {})
    refused = [message for message in call.messages if message.event_id == "e-1"]

    left = aws_calls.read("", aws_calls.without(call, refused), {})
    done, failed = aws_calls.done(call, refused)[1].decode().split("<Failed>")

    assert [message.event_id for message in left.messages] == ["e-2", "e-3"]
    keys = [key for key, _ in parse_qsl(left.body.decode()) if key.endswith(".Message")]
    assert keys == [f"{aws_calls.ENTRY}{number}.Message" for number in (1, 2)]
    for message in call.messages:
        said = f"<Id>{message.key}</Id>"
        assert (said in failed, said in done) == (message in refused, message not in refused)


def test_every_place_has_a_proxy_with_a_port_of_its_own() -> None:
    usual = {"aws": 4566, "redis": 6379, "otlp": 4318, "payment-provider": 8090, "order": 8005}

    ports = places.usual_ports(usual, ["order"])

    assert len(set(ports.values()) | set(usual.values())) == len(ports) + len(usual)
