"""Requests to SNS (query protocol) and SQS (JSON 1.0) and their answers, as messages. Pure."""

import json
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode
from xml.sax.saxutils import escape

from harness.faults.rules import Fault, Message, Operation

OPERATIONS = {
    "Publish": Operation.PUBLISH,
    "PublishBatch": Operation.PUBLISH,
    "AmazonSQS.ReceiveMessage": Operation.RECEIVE,
    "AmazonSQS.DeleteMessage": Operation.DELETE,
    "AmazonSQS.DeleteMessageBatch": Operation.DELETE,
}
ENTRY = "PublishBatchRequestEntries.member."
SNS_NAMESPACE = "http://sns.amazonaws.com/doc/2010-03-31/"


@dataclass(frozen=True)
class Call:
    """One request. operation: None for what no fault is of. body: as it came, or was rewritten."""

    operation: Operation | None
    name: str
    place: str = ""
    messages: list[Message] = field(default_factory=list)
    body: bytes = b""


def read(target: str, body: bytes, receipts: Mapping[str, Message]) -> Call:
    """target: the header `X-Amz-Target`, empty for SNS. receipts: what was handed over so far."""
    if not target:
        return _of_topic(body)
    operation = OPERATIONS.get(target)
    if operation is None:
        return Call(None, target, body=body)
    document = json.loads(body)
    place = _last_part(document.get("QueueUrl", ""), "/")
    handles = [document["ReceiptHandle"]] if "ReceiptHandle" in document else []
    handles += [entry["ReceiptHandle"] for entry in document.get("Entries", ())]
    messages = [receipts[handle] for handle in handles if handle in receipts]
    return Call(operation, target, place, messages, body)


def _of_topic(body: bytes) -> Call:
    form = dict(parse_qsl(body.decode(), keep_blank_values=True))
    name = form.get("Action", "")
    place = _last_part(form.get("TopicArn", ""), ":")
    messages = [
        message_of(place, text, form.get(key.removesuffix("Message") + "Id", ""))
        for key, text in form.items()
        if key == "Message" or (key.startswith(ENTRY) and key.endswith(".Message"))
    ]
    return Call(OPERATIONS.get(name), name, place, messages, body)


def message_of(place: str, text: str, key: str) -> Message:
    """What *text* says of itself, if it is an event's envelope; else just where it is."""
    try:
        envelope = json.loads(text)
    except ValueError:
        return Message(place, key=key)
    if not isinstance(envelope, dict):
        return Message(place, key=key)
    said = {name: str(envelope.get(name, "")) for name in ("type", "id", "subject")}
    return Message(place, said["type"], said["id"], said["subject"], key)


def with_visibility(call: Call, seconds: int) -> Call:
    """*call*, a receive, asking for messages to come again after *seconds* if nobody deletes."""
    document = json.loads(call.body) | {"VisibilityTimeout": seconds}
    return Call(call.operation, call.name, call.place, call.messages, json.dumps(document).encode())


def garbled(call: Call, hit: Collection[Message]) -> bytes:
    """The body of *call* with half of each text of *hit*."""
    form = parse_qsl(call.body.decode(), keep_blank_values=True)
    ids = {key: value for key, value in form if key.endswith("Id")}
    keys = {message.key for message in hit}

    def is_hit(key: str) -> bool:
        return key.endswith("Message") and ids.get(key.removesuffix("Message") + "Id", "") in keys

    return urlencode(
        [(key, value[: len(value) // 2] if is_hit(key) else value) for key, value in form]
    ).encode()


def without(call: Call, refused: Collection[Message]) -> bytes:
    """The body of *call*, a batch, without the entries of *refused*; the others count from 1."""
    form = parse_qsl(call.body.decode(), keep_blank_values=True)
    keys = {message.key for message in refused}
    left = [
        key.removesuffix("Id")
        for key, value in form
        if key.startswith(ENTRY) and key.endswith(".Id") and value not in keys
    ]
    numbered = {entry: f"{ENTRY}{number}." for number, entry in enumerate(left, start=1)}
    body = []
    for key, value in form:
        entry = ENTRY + key.removeprefix(ENTRY).partition(".")[0] + "."
        if not key.startswith(ENTRY):
            body.append((key, value))
        elif entry in numbered:
            body.append((numbered[entry] + key.removeprefix(entry), value))
    return urlencode(body).encode()


def handed_over(place: str, answer: bytes) -> list[tuple[Message, dict[str, Any]]]:
    """The messages in the answer to a receive, each with its JSON."""
    messages = json.loads(answer or b"{}").get("Messages") or []
    return [(message_of(place, m.get("Body", ""), m["ReceiptHandle"]), m) for m in messages]


def handed_over_otherwise(answer: bytes, fault: Fault, keys: Collection[str]) -> bytes:
    """*answer* without the messages of *keys* if they are dropped, with them twice if doubled."""
    document = json.loads(answer)
    times = 0 if fault is Fault.DROP else 2
    document["Messages"] = [
        message
        for message in document["Messages"]
        for _ in range(times if message["ReceiptHandle"] in keys else 1)
    ]
    return json.dumps(document).encode()


def done(call: Call, refused: Collection[Message] = ()) -> tuple[str, bytes]:
    """(content type, body) of the answer that says that all of *call* is done but *refused*."""
    if call.operation is not Operation.PUBLISH:
        return "application/x-amz-json-1.0", _deleted(call)
    entries = "".join(
        f"<member><Id>{escape(message.key)}</Id><MessageId>{uuid.uuid4()}</MessageId></member>"
        for message in call.messages
        if message not in refused
    )
    failed = "".join(
        f"<member><Id>{escape(message.key)}</Id><Code>InternalError</Code>"
        "<Message>planted: refused</Message><SenderFault>false</SenderFault></member>"
        for message in refused
    )
    result = (
        f"<Successful>{entries}</Successful><Failed>{failed}</Failed>"
        if call.name == "PublishBatch"
        else f"<MessageId>{uuid.uuid4()}</MessageId>"
    )
    return "text/xml", (
        f'<{call.name}Response xmlns="{SNS_NAMESPACE}"><{call.name}Result>{result}'
        f"</{call.name}Result><ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId>"
        f"</ResponseMetadata></{call.name}Response>"
    ).encode()


def _deleted(call: Call) -> bytes:
    entries = json.loads(call.body).get("Entries")
    if entries is None:
        return b"{}"
    return json.dumps({"Successful": [{"Id": entry["Id"]} for entry in entries]}).encode()


def _last_part(text: str, separator: str) -> str:
    return text.rpartition(separator)[2]
