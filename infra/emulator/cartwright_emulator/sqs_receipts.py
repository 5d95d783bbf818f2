"""Receipt handles that tell by themselves which queue issued them. Keeps no list of them."""

import uuid

# RFC 4122 §4.3 name-based identifiers of queues, so that a handle does not repeat the ARN.
_QUEUES = uuid.uuid5(uuid.NAMESPACE_URL, "https://sqs.amazonaws.com/receipt-handles")


def issue(queue: dict, message: dict) -> str:
    """A new handle for this receive of the message; the one before it becomes stale."""
    return f"{_mark(queue)}.{message['id']}.{uuid.uuid4().hex}"


def is_from(queue: dict, handle: str) -> bool:
    """Whether this queue issued the handle, ever: also before a restart, also for a deleted
    message.
    """
    return handle.count(".") == 2 and handle.startswith(f"{_mark(queue)}.")


def _mark(queue: dict) -> str:
    return uuid.uuid5(_QUEUES, queue["attributes"]["QueueArn"]).hex
