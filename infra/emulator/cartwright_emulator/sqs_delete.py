"""DeleteMessage and DeleteMessageBatch: stale receipt handles succeed, one walk for a whole
batch.

Restores: with an old receipt handle "the request succeeds, but the message will not be deleted",
and deleting a deleted message succeeds
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html).
MiniStack raises ReceiptHandleIsInvalid for both, and copies the whole queue for every handle of a
batch. A handle that the queue never issued is refused, as on AWS. FIFO queues keep MiniStack's
way: the shop has none.
"""

import sqs_receipts
from ministack.services import sqs

_delete_fifo = sqs._HANDLERS["DeleteMessage"]
_delete_batch_fifo = sqs._HANDLERS["DeleteMessageBatch"]


def install() -> None:
    sqs._HANDLERS["DeleteMessage"] = delete
    sqs._HANDLERS["DeleteMessageBatch"] = delete_batch


def delete(request: dict, url: str) -> dict:
    queue = sqs._get_q(request.get("QueueUrl", url))
    if queue["is_fifo"]:
        return _delete_fifo(request, url)
    handle = request.get("ReceiptHandle") or ""
    if not handle:
        raise sqs._Err("MissingParameter", "The request must contain the parameter ReceiptHandle.")
    if not sqs_receipts.is_from(queue, handle):
        raise sqs._Err("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
    _remove(queue, {handle})
    return {}


def delete_batch(request: dict, url: str) -> dict:
    queue = sqs._get_q(request.get("QueueUrl", url))
    if queue["is_fifo"]:
        return _delete_batch_fifo(request, url)
    entries = request.get("Entries", [])
    sqs._validate_batch_entries(entries, "DeleteMessageBatchRequestEntry")
    valid = [e for e in entries if sqs_receipts.is_from(queue, e.get("ReceiptHandle", ""))]
    _remove(queue, {entry["ReceiptHandle"] for entry in valid})
    return {
        "Successful": [{"Id": entry["Id"]} for entry in valid],
        "Failed": [_refused(entry["Id"]) for entry in entries if entry not in valid],
    }


def _refused(entry_id: str) -> dict:
    return {
        "Id": entry_id,
        "Code": "ReceiptHandleIsInvalid",
        "Message": "The input receipt handle is invalid.",
        "SenderFault": True,
    }


def _remove(queue: dict, handles: set[str]) -> None:
    """Received messages stand at the front, so the walk ends there instead of crossing the
    backlog.
    """
    wanted = set(handles)
    found: list[int] = []
    for index, message in enumerate(queue["messages"]):
        if message["receipt_handle"] in wanted:
            wanted.discard(message["receipt_handle"])
            found.append(index)
            if not wanted:
                break
    for index in reversed(found):
        del queue["messages"][index]
