"""Stored queues, moved to where the emulator listens this time.

A queue is one account's, region's and name's; host and port are only how it is reached.
MiniStack stores queues under URLs with host and port, and finds them by those of the moment. After
a start on another port every queue was there twice: SNS went on to deliver to one, consumers read
the other. Sets that were split so are joined.
"""

from ministack.core.responses import AccountRegionScopedDict
from ministack.services import sqs


def rebase() -> None:
    """Call once, with the state loaded. Raises nothing over a state that MiniStack wrote."""
    joined = AccountRegionScopedDict()
    for (account, region, _url), queue in sqs._queues.all_items():
        own_url = sqs._queue_url_for_account(account, queue["name"])
        before = joined.get_scoped(account, region, own_url)
        joined.set_scoped(account, region, own_url, _joined(before, queue) | {"url": own_url})
    sqs._queues.clear()
    sqs._queues.update(joined)
    sqs._queue_name_to_url.clear()
    sqs._rebuild_queue_name_index()


def _joined(before: dict | None, queue: dict) -> dict:
    """The later set's settings, the messages of both, in the order they were sent."""
    if before is None:
        return queue
    return {
        **queue,
        "messages": sorted(
            before["messages"] + queue["messages"], key=lambda message: message["sent_at"]
        ),
        "dedup_cache": {**before["dedup_cache"], **queue["dedup_cache"]},
        # A sequence number is never given twice.
        "fifo_seq": max(before["fifo_seq"], queue["fifo_seq"]),
    }
