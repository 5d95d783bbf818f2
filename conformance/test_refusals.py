"""What a wrong call is told: the codes by which botocore chooses its exception."""

from collections.abc import Callable
from typing import Any

import pytest

from conformance.aws import Aws, code_of
from conformance.test_dead_letters import with_dead_letters

Call = Callable[[Aws, str], Any]


def _move_onto_itself(aws: Aws, _: str) -> None:
    _, dead_letters = with_dead_letters(aws, max_receives=2)
    aws.send(dead_letters, "1")
    arn = aws.arn(dead_letters)
    aws.sqs.start_message_move_task(SourceArn=arn, DestinationArn=arn)


def _hide_for_13_h(aws: Aws, url: str) -> None:
    aws.send(url, "1")
    [message] = aws.arrived(url)
    aws.sqs.change_message_visibility(
        QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=46_800
    )


REFUSED: dict[str, tuple[Call, str]] = {
    "receive-from-a-queue-that-is-not-there": (
        lambda aws, url: aws.receive(url + "-not"),
        # The name of before the JSON protocol, which botocore's exception QueueDoesNotExist keeps.
        "NonExistentQueue",
    ),
    "url-of-a-queue-that-is-not-there": (
        lambda aws, _: aws.sqs.get_queue_url(QueueName="conformance-not-there"),
        "NonExistentQueue",
    ),
    "receive-eleven": (lambda aws, url: aws.receive(url, 11), "InvalidParameterValue"),
    "receive-none": (lambda aws, url: aws.receive(url, 0), "InvalidParameterValue"),
    "long-poll-of-21-s": (
        lambda aws, url: aws.receive(url, WaitTimeSeconds=21),
        "InvalidParameterValue",
    ),
    "visibility-of-13-h": (
        lambda aws, url: aws.receive(url, VisibilityTimeout=46_800),
        "InvalidParameterValue",
    ),
    "delete-with-a-handle-never-issued": (
        lambda aws, url: aws.sqs.delete_message(QueueUrl=url, ReceiptHandle="never-issued"),
        "ReceiptHandleIsInvalid",
    ),
    "change-visibility-with-a-handle-never-issued": (
        lambda aws, url: aws.sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle="never-issued", VisibilityTimeout=1
        ),
        "ReceiptHandleIsInvalid",
    ),
    "send-nothing": (
        lambda aws, url: aws.sqs.send_message(QueueUrl=url, MessageBody=""),
        "MissingParameter",
    ),
    "queue-with-a-bad-name": (lambda aws, _: aws.queue("no spaces"), "InvalidParameterValue"),
    "attribute-that-is-none": (
        lambda aws, _: aws.queue(Colour="red"),
        "InvalidAttributeName",
    ),
    "topic-with-a-bad-name": (
        lambda aws, _: aws.sns.create_topic(Name="no spaces"),
        "InvalidParameter",
    ),
    "topic-arn-that-is-none": (
        lambda aws, _: aws.sns.publish(TopicArn="nonsense", Message="1"),
        "InvalidParameter",
    ),
    "move-from-a-queue-that-is-nobodys-dead-letter-queue": (
        lambda aws, url: aws.sqs.start_message_move_task(SourceArn=aws.arn(url)),
        "InvalidParameterValue",
    ),
    "move-onto-itself": (_move_onto_itself, "InvalidParameterValue"),
    "visibility-changed-to-13-h": (_hide_for_13_h, "InvalidParameterValue"),
    "move-from-a-queue-that-is-not-there": (
        lambda aws, url: aws.sqs.start_message_move_task(SourceArn=aws.arn(url) + "-not"),
        "ResourceNotFoundException",
    ),
}


@pytest.mark.parametrize("wrong", REFUSED)
def test_a_wrong_call_is_refused_with_its_code(aws: Aws, wrong: str) -> None:
    call, code = REFUSED[wrong]
    inbox = aws.queue()

    assert code_of(lambda: call(aws, inbox)) == code
