"""One message in a queue: how it is sent, hidden, given again and deleted."""

import time
from typing import Any

import pytest

from conformance.aws import (
    SHORT_VISIBILITY_S,
    Aws,
    code_of,
    eleven_attributes,
    entries,
    event_type,
)

MIB = 1024 * 1024


# Sending


def test_a_body_keeps_every_character(aws: Aws) -> None:
    inbox = aws.queue()
    body = '{"naïve": "日本語 🛒\t\\"quoted\\""}\r\n'

    aws.send(inbox, body)

    assert aws.bodies(inbox) == [body]


def test_a_character_that_xml_cannot_write_is_refused(aws: Aws) -> None:
    inbox = aws.queue()

    assert code_of(lambda: aws.send(inbox, "\x00")) == "InvalidMessageContents"


def test_one_bad_entry_does_not_spoil_a_batch_of_sends(aws: Aws) -> None:
    inbox = aws.queue()
    good, bad = entries(["good", "\x00"], "MessageBody")

    answer = aws.sqs.send_message_batch(QueueUrl=inbox, Entries=[bad, good])

    assert [it["Id"] for it in answer["Successful"]] == [good["Id"]]
    assert [it["Id"] for it in answer["Failed"]] == [bad["Id"]]
    assert aws.bodies(inbox) == ["good"]


@pytest.mark.parametrize(
    ("bodies", "code"),
    [
        pytest.param([], "EmptyBatchRequest", id="none"),
        pytest.param(["1"] * 11, "TooManyEntriesInBatchRequest", id="eleven"),
        pytest.param(["x" * 120_000] * 10, "BatchRequestTooLong", id="over-1-mib"),
    ],
)
def test_a_batch_of_sends_that_is_none_is_refused_as_a_whole(
    aws: Aws, bodies: list[str], code: str
) -> None:
    inbox = aws.queue()

    refused = code_of(
        lambda: aws.sqs.send_message_batch(QueueUrl=inbox, Entries=entries(bodies, "MessageBody"))
    )

    assert refused == code
    assert aws.depth(inbox).total == 0


def test_two_entries_of_a_batch_of_sends_have_two_ids(aws: Aws) -> None:
    inbox = aws.queue()
    entry: Any = {"Id": "same", "MessageBody": "1"}

    refused = code_of(lambda: aws.sqs.send_message_batch(QueueUrl=inbox, Entries=[entry, entry]))

    assert refused == "BatchEntryIdsNotDistinct"


def test_a_message_has_ten_attributes_at_most(aws: Aws) -> None:
    inbox = aws.queue()
    attributes = eleven_attributes()

    def send() -> None:
        aws.sqs.send_message(QueueUrl=inbox, MessageBody="1", MessageAttributes=attributes)

    assert code_of(send) == "InvalidParameterValue"
    del attributes["more-0"]
    send()

    [message] = aws.arrived(inbox)
    assert message["MessageAttributes"] == attributes


def test_only_the_attributes_that_are_asked_for_are_given(aws: Aws) -> None:
    inbox = aws.queue()
    both = {**event_type(), "other": {"DataType": "String", "StringValue": "x"}}
    aws.sqs.send_message(QueueUrl=inbox, MessageBody="1", MessageAttributes=both)

    answer = aws.sqs.receive_message(
        QueueUrl=inbox, WaitTimeSeconds=1, MessageAttributeNames=["event_type"]
    )

    [message] = answer["Messages"]
    assert message["MessageAttributes"] == event_type()
    assert "Attributes" not in message


def test_a_body_of_a_mebibyte_is_taken_and_one_byte_more_is_not(aws: Aws) -> None:
    inbox = aws.queue()

    aws.send(inbox, "x" * MIB)
    refused = code_of(lambda: aws.send(inbox, "x" * (MIB + 1)))

    assert [len(body) for body in aws.bodies(inbox)] == [MIB]
    assert refused == "InvalidParameterValue"


# Visibility


def test_a_received_message_is_hidden(aws: Aws) -> None:
    inbox = aws.queue(VisibilityTimeout="60")
    aws.send(inbox, "1")

    aws.arrived(inbox)

    assert aws.receive(inbox) == []


def test_a_received_message_comes_back_counted(aws: Aws) -> None:
    inbox = aws.queue(VisibilityTimeout=str(SHORT_VISIBILITY_S))
    aws.send(inbox, "1")

    [first], [second] = aws.arrived(inbox), aws.arrived(inbox)

    assert (first["MessageId"], first["Body"]) == (second["MessageId"], second["Body"])
    assert first["Attributes"]["ApproximateReceiveCount"] == "1"
    assert second["Attributes"]["ApproximateReceiveCount"] == "2"
    assert first["Attributes"]["SentTimestamp"] == second["Attributes"]["SentTimestamp"]


def test_a_received_message_counts_as_in_flight(aws: Aws) -> None:
    inbox = aws.queue()
    aws.send(inbox, "1", "2")
    aws.arrived(inbox, 1, VisibilityTimeout=60, limit=1)

    aws.settles_at(inbox, visible=1, in_flight=1)


def test_a_visibility_changed_to_nothing_gives_the_message_back_at_once(aws: Aws) -> None:
    inbox = aws.queue()
    aws.send(inbox, "1")
    [message] = aws.arrived(inbox)

    aws.sqs.change_message_visibility(
        QueueUrl=inbox, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
    )

    assert aws.bodies(inbox) == ["1"]


def test_an_extended_visibility_hides_the_message_for_longer(aws: Aws) -> None:
    for visibility_s in (SHORT_VISIBILITY_S, 4 * SHORT_VISIBILITY_S):
        inbox = aws.queue(VisibilityTimeout=str(visibility_s))
        aws.send(inbox, "extended", "left alone")
        began = time.monotonic()
        received = {message["Body"]: message["ReceiptHandle"] for message in aws.arrived(inbox, 2)}
        answer = aws.sqs.change_message_visibility_batch(
            QueueUrl=inbox,
            Entries=[
                {"Id": "good", "ReceiptHandle": received["extended"], "VisibilityTimeout": 60},
                {"Id": "bad", "ReceiptHandle": "never-issued", "VisibilityTimeout": 60},
            ],
        )
        if time.monotonic() - began < visibility_s:
            break  # Else it was seen again before we came to extend it: this machine is slow.

    assert [it["Id"] for it in answer["Successful"]] == ["good"]
    assert [it["Id"] for it in answer["Failed"]] == ["bad"]
    assert aws.bodies(inbox) == ["left alone"]


def test_only_a_message_in_flight_has_a_visibility_to_change(aws: Aws) -> None:
    inbox = aws.queue()
    aws.send(inbox, "1")
    [message] = aws.arrived(inbox)
    handle = message["ReceiptHandle"]
    aws.sqs.change_message_visibility(QueueUrl=inbox, ReceiptHandle=handle, VisibilityTimeout=0)

    aws.settles_at(inbox, visible=1)

    refused = code_of(
        lambda: aws.sqs.change_message_visibility(
            QueueUrl=inbox, ReceiptHandle=handle, VisibilityTimeout=60
        )
    )
    batch = aws.sqs.change_message_visibility_batch(
        QueueUrl=inbox,
        Entries=[{"Id": "1", "ReceiptHandle": handle, "VisibilityTimeout": 60}],
    )

    assert refused == "MessageNotInflight"
    assert [entry["Id"] for entry in batch["Failed"]] == ["1"]
    assert aws.bodies(inbox) == ["1"]


# Receipts


def test_ten_messages_are_deleted_in_one_call(aws: Aws) -> None:
    inbox = aws.queue()
    aws.sqs.send_message_batch(
        QueueUrl=inbox, Entries=entries([str(i) for i in range(10)], "MessageBody")
    )
    messages = aws.arrived(inbox, 10)

    deleted = aws.sqs.delete_message_batch(
        QueueUrl=inbox,
        Entries=[{"Id": m["Body"], "ReceiptHandle": m["ReceiptHandle"]} for m in messages],
    )

    assert len(deleted["Successful"]) == 10
    aws.settles_at(inbox)


def test_one_bad_handle_does_not_spoil_a_batch_of_deletes(aws: Aws) -> None:
    inbox = aws.queue()
    aws.send(inbox, "1")
    [message] = aws.arrived(inbox)

    answer = aws.sqs.delete_message_batch(
        QueueUrl=inbox,
        Entries=[
            {"Id": "bad", "ReceiptHandle": "never-issued"},
            {"Id": "good", "ReceiptHandle": message["ReceiptHandle"]},
        ],
    )

    assert [it["Id"] for it in answer["Successful"]] == ["good"]
    assert [(it["Id"], it["Code"]) for it in answer["Failed"]] == [
        ("bad", "ReceiptHandleIsInvalid")
    ]
    aws.settles_at(inbox)


def test_deleting_with_a_stale_receipt_handle_succeeds(aws: Aws) -> None:
    inbox = aws.queue()
    aws.send(inbox, "1")
    [first] = aws.arrived(inbox, VisibilityTimeout=0)
    [second] = aws.arrived(inbox)

    # Whether the message goes is not promised: "might not be deleted".
    aws.sqs.delete_message(QueueUrl=inbox, ReceiptHandle=first["ReceiptHandle"])
    aws.sqs.delete_message(QueueUrl=inbox, ReceiptHandle=second["ReceiptHandle"])

    aws.settles_at(inbox)


def test_deleting_twice_succeeds(aws: Aws) -> None:
    inbox = aws.queue()
    aws.send(inbox, "1")
    handle = aws.arrived(inbox)[0]["ReceiptHandle"]
    aws.sqs.delete_message(QueueUrl=inbox, ReceiptHandle=handle)

    answer = aws.sqs.delete_message_batch(
        QueueUrl=inbox, Entries=[{"Id": "again", "ReceiptHandle": handle}]
    )

    assert [it["Id"] for it in answer["Successful"]] == ["again"]
