"""SNS to SQS: what cannot be delivered goes to the subscription's dead-letter queue, never
nowhere.

Restores: on a client-side error SNS discards the message "unless a dead-letter queue is attached
to the subscription" (https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html). Such
errors are a deleted queue, and a raw message with more than ten attributes
(https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html). MiniStack drops the first
and delivers the second. Without a dead-letter queue the loss is logged as a warning. What AWS
writes into the dead-letter queue for too many attributes is not documented; here it is the
message unchanged.
"""

import json
import logging

import sqs_arrivals
from ministack.services import sns, sqs
from sqs_limits import MAX_ATTRIBUTES

_deliver = sns._deliver_to_sqs
_log = logging.getLogger("sns")


def install() -> None:
    sns._deliver_to_sqs = deliver


def deliver(endpoint, envelope, raw, raw_message, **message) -> None:
    """Called by MiniStack: queue ARN, both forms of the body, then attributes, topic and groups."""
    queue = sqs._queue_by_arn(endpoint)
    too_many = raw and len(message.get("message_attributes") or {}) > MAX_ATTRIBUTES
    if queue is None or too_many:
        endpoint = _dead_letter_arn(message["topic_arn"], endpoint)
        queue = sqs._queue_by_arn(endpoint) if endpoint else None
    if queue is None:
        _log.warning("message of %s lost: no queue takes it", message["topic_arn"])
        return
    _deliver(endpoint, envelope, raw, raw_message, **message)
    sqs_arrivals.announce(queue)


def _dead_letter_arn(topic_arn: str, endpoint: str) -> str:
    topic = sns._topic_by_arn_any_scope(topic_arn)
    for subscription in topic["subscriptions"]:
        if subscription["endpoint"] == endpoint:
            policy = json.loads(subscription["attributes"].get("RedrivePolicy") or "{}")
            return policy.get("deadLetterTargetArn", "")
    return ""
