"""ReceiveMessage: long polls that wake at once, and a cost that does not grow with the backlog.

Three things MiniStack does otherwise:
- it looks every 100 ms (see `sqs_arrivals`) and takes any WaitTimeSeconds and VisibilityTimeout;
  AWS allows 0 to 20 and 0 to 43,200
  (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html);
- it walks and copies the whole queue three times for each look: retention, dead letters, visible
  ones;
- it gives messages to callers that have hung up. They would then be hidden for the whole
  visibility timeout after every restart of a consumer.

FIFO queues keep MiniStack's way: the shop has none.
"""

import asyncio
import json
import time
from contextvars import ContextVar

import hypercorn.asyncio.run as hypercorn_run
import sqs_arrivals
import sqs_receipts
from ministack.services import sqs

LONGEST_WAIT_S = 20
LONGEST_VISIBILITY_S = 43_200
# A message can become visible between two looks of the clock; never spin on the difference.
SHORTEST_NAP_S = 0.002

_receive_now = sqs._HANDLERS["ReceiveMessage"]
_collect_fifo_or_all = sqs._collect_msgs
_sweep_all = sqs._dlq_sweep
_expire_all = sqs._expire_retained
_count = sqs._refresh_counts
_caller: ContextVar[asyncio.StreamReader] = ContextVar("caller")


def install() -> None:
    sqs._HANDLERS["ReceiveMessage"] = receive
    sqs._collect_msgs = collect
    # A standard queue's retention and dead letters are seen to by `collect`, message by message.
    sqs._dlq_sweep = lambda queue: _sweep_all(queue) if queue["is_fifo"] else None
    sqs._expire_retained = lambda queue: _expire_all(queue) if queue["is_fifo"] else None
    sqs._refresh_counts = count
    hypercorn_run.TCPServer = _KnownConnection


def count(queue: dict) -> None:
    """GetQueueAttributes may walk the queue, so it is where a standard queue forgets what is too
    old.
    """
    _expire_all(queue)
    _count(queue)


async def receive(request: dict, url: str) -> dict:
    """Up to MaxNumberOfMessages as soon as there is one; nothing when the wait is over or nobody
    listens.
    """
    queue = sqs._get_q(request.get("QueueUrl", url))
    _check("VisibilityTimeout", request.get("VisibilityTimeout") or 0, LONGEST_VISIBILITY_S)
    deadline = time.time() + _wait_s(request, queue)
    while True:
        arrived = sqs_arrivals.of(queue)
        if _caller_has_gone():
            return {}
        answer = await _receive_now({**request, "WaitTimeSeconds": 0}, url)
        now = time.time()
        if answer.get("Messages") or now >= deadline or sqs_arrivals.is_stopping():
            return answer
        next_visible = min((m["visible_at"] for m in queue["messages"]), default=deadline)
        nap_s = max(SHORTEST_NAP_S, min(deadline, next_visible) - now)
        try:
            await asyncio.wait_for(arrived.wait(), nap_s)
        except TimeoutError:
            continue


def _wait_s(request: dict, queue: dict) -> int:
    wait_s = request.get("WaitTimeSeconds")
    if wait_s is None:
        wait_s = queue["attributes"].get("ReceiveMessageWaitTimeSeconds", "0")
    _check("WaitTimeSeconds", wait_s, LONGEST_WAIT_S)
    return int(wait_s)


def _check(name: str, value: int | str, most: int) -> None:
    if not 0 <= int(value) <= most:
        raise sqs._Err(
            "InvalidParameterValue",
            f"Value {value} for parameter {name} is invalid. "
            f"Reason: Must be >= 0 and <= {most}, if provided.",
        )


def collect(queue: dict, limit: int, visibility_s: int) -> list[dict]:
    """The first `limit` visible messages, now hidden. Stops at the limit; sees to what it passes:
    a message past its retention is dropped, one received too often goes to the dead-letter queue.
    """
    if queue["is_fifo"]:
        return _collect_fifo_or_all(queue, limit, visibility_s)
    now = time.time()
    oldest = now - int(queue["attributes"]["MessageRetentionPeriod"])
    dead_letters, max_receives = _redrive(queue)
    taken: list[dict] = []
    gone: list[int] = []
    for index, message in enumerate(queue["messages"]):
        if message["visible_at"] > now:
            continue
        sqs._ensure_msg_fields(message)
        if message.get("enqueued_at", message["sent_at"]) <= oldest:
            gone.append(index)
        elif dead_letters is not None and message["receive_count"] >= max_receives:
            gone.append(index)
            _bury(message, queue, dead_letters, now)
        else:
            _take(message, queue, now, visibility_s)
            taken.append(message)
            if len(taken) == limit:
                break
    for index in reversed(gone):
        del queue["messages"][index]
    return taken


def _take(message: dict, queue: dict, now: float, visibility_s: int) -> None:
    message["receipt_handle"] = sqs_receipts.issue(queue, message)
    message["visible_at"] = now + visibility_s
    message["receive_count"] += 1
    message["first_receive_at"] = message["first_receive_at"] or now


def _redrive(queue: dict) -> tuple[dict | None, int]:
    """The dead-letter queue and after how many receives a message goes there. It must exist to be
    used.
    """
    policy = json.loads(queue["attributes"].get("RedrivePolicy") or "{}")
    if not policy:
        return None, 0
    return sqs._queue_by_arn(policy["deadLetterTargetArn"]), int(policy["maxReceiveCount"])


def _bury(message: dict, queue: dict, dead_letters: dict, now: float) -> None:
    """As MiniStack's own sweep: same id, body, attributes and age ("the enqueue timestamp is
    unchanged",
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html).
    """
    source = {"DeadLetterQueueSourceArn": queue["attributes"]["QueueArn"]}
    dead_letters["messages"].append(
        {**message, "receipt_handle": None, "visible_at": now, "sys": {**source, **message["sys"]}}
    )
    sqs_arrivals.announce(dead_letters)


class _KnownConnection(hypercorn_run.TCPServer):
    """Hypercorn stops reading while it owes an answer, so ASGI never says that the caller hung
    up. The stream itself knows.
    """

    async def run(self) -> None:
        _caller.set(self.reader)
        await super().run()


def _caller_has_gone() -> bool:
    reader = _caller.get(None)
    return reader is not None and (reader.at_eof() or reader.exception() is not None)
