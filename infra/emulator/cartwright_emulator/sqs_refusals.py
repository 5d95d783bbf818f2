"""SQS calls that AWS refuses and MiniStack takes: names, attributes, delays, visibility.

Restores, each as the API reference words it
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/):
- CreateQueue: a name is 1 to 80 letters, digits, hyphens and underscores, an attribute is one
  that SQS has, and a queue that lacks it is another one (QueueNameExists);
- SendMessage: "Valid values: 0 to 900" seconds of delay;
- ChangeMessageVisibility and its batch, entry by entry: MessageNotInflight for a message that
  nobody holds, and no time but 0 to 43,200 s.
"""

import re
import time

from ministack.services import sqs
from sqs_receive import LONGEST_VISIBILITY_S

# ".fifo" is left to MiniStack's own check.
QUEUE_NAME = re.compile(r"(?=.{1,80}$)[A-Za-z0-9_-]+(\.fifo)?")
LONGEST_DELAY_S = 900
# SetQueueAttributes, "Request Parameters".
SETTABLE = {
    "DelaySeconds",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "Policy",
    "ReceiveMessageWaitTimeSeconds",
    "VisibilityTimeout",
    "RedrivePolicy",
    "RedriveAllowPolicy",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "SqsManagedSseEnabled",
    "FifoQueue",
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoThroughputLimit",
}

_create = sqs._HANDLERS["CreateQueue"]
_set_attributes = sqs._HANDLERS["SetQueueAttributes"]


def install() -> None:
    """After `sqs_arrivals` and `sqs_limits`: what is refused is neither announced nor counted."""
    sqs._HANDLERS["CreateQueue"] = create
    sqs._HANDLERS["SetQueueAttributes"] = set_attributes
    sqs._act_send_message = sqs._HANDLERS["SendMessage"] = _limited(sqs._act_send_message)
    change = sqs._HANDLERS["ChangeMessageVisibility"] = _of_held(
        sqs._HANDLERS["ChangeMessageVisibility"]
    )
    sqs._HANDLERS["ChangeMessageVisibilityBatch"] = _each(change)


def create(request: dict, url: str) -> dict:
    if not QUEUE_NAME.fullmatch(request.get("QueueName", "")):
        raise sqs._Err(
            "InvalidParameterValue",
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        )
    _check_attributes(request)
    there = sqs._queues.get(sqs._queue_url(request["QueueName"]))
    for name in request.get("Attributes") or {}:
        if there and name not in there["attributes"]:
            raise sqs._Err("QueueNameExists", f"A queue of this name exists without {name}.")
    return _create(request, url)


def set_attributes(request: dict, url: str) -> dict:
    _check_attributes(request)
    return _set_attributes(request, url)


def _check_attributes(request: dict) -> None:
    for name in request.get("Attributes") or {}:
        if name not in SETTABLE:
            raise sqs._Err("InvalidAttributeName", f"Unknown Attribute {name}.")


def _limited(send):
    def limited(request: dict, url: str) -> dict:
        _check_seconds("DelaySeconds", request.get("DelaySeconds") or 0, LONGEST_DELAY_S)
        return send(request, url)

    return limited


def _check_seconds(name: str, value: int | str, most: int) -> None:
    if not 0 <= int(value) <= most:
        raise sqs._Err(
            "InvalidParameterValue",
            f"Value {value} for parameter {name} is invalid. "
            f"Reason: {name} must be >= 0 and <= {most}.",
        )


def _of_held(change):
    """A handle that MiniStack does not know is left to it: its answer is AWS's."""

    def checked(request: dict, url: str) -> dict:
        queue = sqs._get_q(request.get("QueueUrl", url))
        _check_seconds(
            "VisibilityTimeout", request.get("VisibilityTimeout") or 0, LONGEST_VISIBILITY_S
        )
        handle, now = request.get("ReceiptHandle"), time.time()
        for message in queue["messages"]:
            if message["receipt_handle"] == handle and message["visible_at"] <= now:
                raise sqs._Err("MessageNotInflight", "The specified message isn't in flight.")
        return change(request, url)

    return checked


def _each(change):
    def changed(request: dict, url: str) -> dict:
        entries = request.get("Entries") or []
        sqs._validate_batch_entries(entries, "ChangeMessageVisibilityBatchRequestEntry")
        done, refused = [], []
        for entry in entries:
            try:
                change({"QueueUrl": request.get("QueueUrl", url), **entry}, url)
            except sqs._Err as error:
                told = {"Code": error.code, "Message": error.message, "SenderFault": True}
                refused.append({"Id": entry["Id"], **told})
            else:
                done.append({"Id": entry["Id"]})
        return {"Successful": done, "Failed": refused}

    return changed
