"""The way back from a dead-letter queue: ListDeadLetterSourceQueues, StartMessageMoveTask and its
list.

Restores:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
which MiniStack lacks. A move is done at once, so a task is always COMPLETED and there is none to
cancel.
"""

import json
import time
import uuid

import sqs_arrivals
from ministack.services import sqs

_tasks: list[dict] = []
# ListMessageMoveTasks: "up to 10 results", so older tasks are never asked for.
MAX_TASKS = 10


def install() -> None:
    sqs._HANDLERS["ListDeadLetterSourceQueues"] = list_sources
    sqs._HANDLERS["StartMessageMoveTask"] = start_move
    sqs._HANDLERS["ListMessageMoveTasks"] = list_moves


def list_sources(request: dict, url: str) -> dict:
    queue = sqs._get_q(request.get("QueueUrl", url))
    return {"queueUrls": [source["url"] for source in _sources(queue)]}


def start_move(request: dict, _url: str) -> dict:
    """Every visible message back to the queue it came from, or to DestinationArn, as if new."""
    dead_letters = _existing(request.get("SourceArn", ""))
    destination = _existing(request["DestinationArn"]) if request.get("DestinationArn") else None
    if not _sources(dead_letters):
        raise sqs._Err(
            "InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue."
        )
    if destination is dead_letters:
        raise sqs._Err("InvalidParameterValue", "Source and destination are the same queue.")
    now = time.time()
    kept: list[dict] = []
    moved = 0
    for message in dead_letters["messages"]:
        sqs._ensure_msg_fields(message)
        target = destination or _origin(message)
        if message["visible_at"] > now or target is None or target is dead_letters:
            kept.append(message)
            continue
        target["messages"].append(_fresh(message, now))
        sqs_arrivals.announce(target)
        moved += 1
    dead_letters["messages"] = kept
    task = {
        "TaskHandle": uuid.uuid4().hex,
        "Status": "COMPLETED",
        "SourceArn": request["SourceArn"],
        "ApproximateNumberOfMessagesMoved": moved,
        "ApproximateNumberOfMessagesToMove": moved,
        "StartedTimestamp": int(now * 1000),
    }
    _tasks[:] = [task, *_tasks][:MAX_TASKS]
    return {"TaskHandle": task["TaskHandle"]}


def list_moves(request: dict, _url: str) -> dict:
    limit = int(request.get("MaxResults") or 1)
    found = [task for task in _tasks if task["SourceArn"] == request.get("SourceArn")]
    return {"Results": [_without_handle(task) for task in found[:limit]]}


def _without_handle(task: dict) -> dict:
    """TaskHandle is told of running tasks only."""
    return {name: value for name, value in task.items() if name != "TaskHandle"}


def _existing(arn: str) -> dict:
    queue = sqs._queue_by_arn(arn)
    if queue is None:
        raise sqs._Err("ResourceNotFoundException", f"There is no queue {arn}.", 404)
    return queue


def _sources(dead_letters: dict) -> list[dict]:
    arn = dead_letters["attributes"]["QueueArn"]
    return [
        queue
        for queue in sqs._queues.values()
        if json.loads(queue["attributes"].get("RedrivePolicy") or "{}").get("deadLetterTargetArn")
        == arn
    ]


def _origin(message: dict) -> dict | None:
    """The queue it came from; None when SNS put it in: AWS moves such a message only with
    DestinationArn.
    """
    arn = message["sys"].get("DeadLetterQueueSourceArn")
    return sqs._queue_by_arn(arn) if arn else None


def _fresh(message: dict, now: float) -> dict:
    """A redriven message is a new one: new id, new age, no receives yet."""
    system = {k: v for k, v in message["sys"].items() if k != "DeadLetterQueueSourceArn"}
    return {
        **message,
        "id": str(uuid.uuid4()),
        "receipt_handle": None,
        "receive_count": 0,
        "first_receive_at": None,
        "visible_at": now,
        "sent_at": now,
        "sys": {**system, "SentTimestamp": str(int(now * 1000))},
    }
