"""Which queue got something to receive, told to the long polls that wait for it.

Restores: a long poll answers as soon as any message becomes available
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html).
MiniStack looks every 100 ms instead. `sqs_receive` waits here; whatever adds a message announces
here.
"""

import asyncio
from collections import defaultdict

from ministack.services import sqs

# By queue ARN, what its polls wait for now: never cleared, so that none takes another's.
_arrived: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

_stopping = False


def announce(queue: dict) -> None:
    arrived = _arrived.pop(queue["attributes"]["QueueArn"], None)
    if arrived:
        arrived.set()


def of(queue: dict) -> asyncio.Event:
    """Set by the next arrival: ask for it before the look, or what comes meanwhile is missed."""
    return _arrived[queue["attributes"]["QueueArn"]]


def stop() -> None:
    """Wake every poll for the last time: a server that ends owes each an answer."""
    global _stopping
    _stopping = True
    for event in _arrived.values():
        event.set()


def is_stopping() -> bool:
    return _stopping


def install() -> None:
    # SendMessageBatch calls the module's function; SendMessage goes through the table.
    sqs._act_send_message = sqs._HANDLERS["SendMessage"] = _announcing(sqs._act_send_message)
    # The batch is done one by one (`sqs_refusals`).
    sqs._HANDLERS["ChangeMessageVisibility"] = _announcing(sqs._HANDLERS["ChangeMessageVisibility"])


def _announcing(action):
    def wrapped(request: dict, url: str) -> dict:
        answer = action(request, url)
        announce(sqs._get_q(request.get("QueueUrl", url)))
        return answer

    return wrapped
