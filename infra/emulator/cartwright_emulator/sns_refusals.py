"""SNS calls that AWS refuses and MiniStack takes: names, ARNs, empty messages, subscriptions.

Restores, each as the API reference words it (https://docs.aws.amazon.com/sns/latest/api/):
- CreateTopic: a name is 1 to 256 letters, digits, hyphens and underscores;
- Publish: the message must not be empty, and a TopicArn has the form of one;
- Subscribe: the same endpoint again is answered with the subscription that is there, unless its
  attributes differ;
- Subscribe, SetSubscriptionAttributes: a filter policy is an object of lists.
"""

import json
import re

from ministack.services import sns

# ".fifo" is left to MiniStack's own check.
TOPIC_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}(\.fifo)?")
# arn:partition:service:region:account:resource
ARN_PARTS = 6

_create_topic = sns._create_topic
_publish = sns._publish
_subscribe = sns._subscribe
_set_subscription_attributes = sns._set_subscription_attributes


def install() -> None:
    sns._create_topic = create_topic
    sns._publish = publish
    sns._subscribe = subscribe
    sns._set_subscription_attributes = set_subscription_attributes


def create_topic(params: dict) -> tuple:
    if not TOPIC_NAME.fullmatch(sns._p(params, "Name")):
        return _invalid("Topic Name")
    return _create_topic(params)


def publish(params: dict) -> tuple:
    arn = sns._p(params, "TopicArn") or sns._p(params, "TargetArn")
    parts = len(arn.split(":"))
    if arn and parts < ARN_PARTS:
        return _invalid(f"TopicArn Reason: An ARN must have at least {ARN_PARTS} elements")
    if not sns._p(params, "Message"):
        return _invalid("Empty message")
    return _publish(params)


def subscribe(params: dict) -> tuple:
    wanted = _attributes(params)
    problem = _policy_problem(wanted.get("FilterPolicy", ""), wanted.get("FilterPolicyScope", ""))
    if problem:
        return _invalid(f"FilterPolicy: {problem}")
    existing = _existing(params)
    if existing and any(existing.get(name) != value for name, value in wanted.items()):
        return _invalid("Attributes Reason: Subscription already exists with different attributes")
    return _subscribe(params)


def set_subscription_attributes(params: dict) -> tuple:
    if sns._p(params, "AttributeName") == "FilterPolicy":
        problem = _policy_problem(sns._p(params, "AttributeValue"), "MessageBody")
        if problem:
            return _invalid(f"FilterPolicy: {problem}")
    return _set_subscription_attributes(params)


def _attributes(params: dict) -> dict[str, str]:
    found: dict[str, str] = {}
    while key := sns._p(params, f"Attributes.entry.{len(found) + 1}.key"):
        found[key] = sns._p(params, f"Attributes.entry.{len(found) + 1}.value")
    return found


def _existing(params: dict) -> dict[str, str] | None:
    """The attributes of the subscription of this endpoint; None if there is none."""
    topic = sns._topic_by_arn_any_scope(sns._normalize_arn(sns._p(params, "TopicArn")))
    wanted = sns._p(params, "Protocol"), sns._p(params, "Endpoint")
    for subscription in topic["subscriptions"] if topic else ():
        if (subscription["protocol"], subscription["endpoint"]) == wanted:
            return subscription["attributes"]
    return None


def _policy_problem(policy: str, scope: str) -> str:
    """What is wrong with a filter policy, in AWS's words; empty for none, and for a good one."""
    if not policy:
        return ""
    try:
        keys = json.loads(policy)
    except json.JSONDecodeError:
        return "failed to parse JSON"
    if not isinstance(keys, dict):
        return "Filter must be an object"
    for name, rules in keys.items():
        if isinstance(rules, dict) and scope != "MessageBody":
            return "Filter policy scope MessageAttributes does not support nested filter policy"
        if not isinstance(rules, list | dict):
            return f'"{name}" must be an object or an array'
        if not rules:
            return "Empty arrays are not allowed"
    return ""


def _invalid(reason: str) -> tuple:
    return sns._error("InvalidParameter", f"Invalid parameter: {reason}", 400)
