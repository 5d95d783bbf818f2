"""LocalStack's start script, made from the topology. Runs nothing.

`python -m harness.topology.localstack` prints infra/localstack/init-aws.py. That creates what
`messaging.create` creates: both take the attributes from there.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.topology import messaging, model
from harness.topology.model import Topology

# LocalStack's account when no other is asked for (docs.localstack.cloud, "Multi-account setups").
ACCOUNT = "000000000000"

_HEAD = """\
# GENERATED from infra/topology.yaml: change that, then run
#   python -m harness.topology.localstack > infra/localstack/init-aws.py
# LocalStack runs this in its own process when it is ready: a Python for each call, as `awslocal`
# starts one, is a minute on a busy machine. What is raised here becomes ERROR in its health.
import boto3
from botocore.config import Config

CALLS = [
"""
_TAIL = """\
]
session = boto3.Session("test", "test", region_name="{region}")
config = Config(
    connect_timeout={connect}, read_timeout={read}, retries={{"total_max_attempts": {attempts}}}
)
client = {{
    name: session.client(name, endpoint_url="http://127.0.0.1:4566", config=config)
    for name in ("sns", "sqs")
}}
for service, operation, arguments in CALLS:
    getattr(client[service], operation)(**arguments)
"""


# One call: service, operation, arguments.
Call = tuple[str, str, Mapping[str, Any]]


def render(topology: Topology, region: str = messaging.REGION) -> str:
    """The whole script, ending in a line break."""
    steps: Mapping[str, Iterator[Call]] = {
        "Topics": _topics(topology),
        "Dead-letter queues": _dead_letter_queues(topology),
        "Queues, each with its dead-letter queue": _queues(topology, region),
        "Subscriptions: raw, filtered by event type": _subscriptions(topology, region),
    }
    tail = _TAIL.format(
        region=region,
        connect=messaging.CONNECT_TIMEOUT_S,
        read=messaging.READ_TIMEOUT_S,
        attempts=messaging.MAX_ATTEMPTS,
    )
    return "".join(
        [
            _HEAD,
            *(
                f"    # {title}\n" + "".join(f"    {call!r},\n" for call in calls)
                for title, calls in steps.items()
            ),
            tail,
        ]
    )


def _topics(topology: Topology) -> Iterator[Call]:
    for topic in topology.topics:
        yield "sns", "create_topic", {"Name": topic}


def _dead_letter_queues(topology: Topology) -> Iterator[Call]:
    attributes = messaging.dead_letter_attributes(topology)
    for queue in topology.queues:
        name = topology.dead_letter_queue(queue)
        yield "sqs", "create_queue", {"QueueName": name, "Attributes": attributes}


def _queues(topology: Topology, region: str) -> Iterator[Call]:
    for queue in topology.queues:
        dead_letter_arn = _arn("sqs", region, topology.dead_letter_queue(queue))
        attributes = messaging.queue_attributes(topology, dead_letter_arn)
        yield "sqs", "create_queue", {"QueueName": queue, "Attributes": attributes}


def _subscriptions(topology: Topology, region: str) -> Iterator[Call]:
    for topic, queue, event_types in topology.subscriptions():
        dead_letter_arn = _arn("sqs", region, topology.dead_letter_queue(queue))
        yield (
            "sns",
            "subscribe",
            {
                "TopicArn": _arn("sns", region, topic),
                "Protocol": "sqs",
                "Endpoint": _arn("sqs", region, queue),
                "Attributes": messaging.subscription_attributes(event_types, dead_letter_arn),
            },
        )


def _arn(service: str, region: str, name: str) -> str:
    return f"arn:aws:{service}:{region}:{ACCOUNT}:{name}"


def main(arguments: list[str]) -> None:
    """Print what is made from the topology file of the working directory's repository."""
    parser = argparse.ArgumentParser(prog="python -m harness.topology.localstack")
    parser.add_argument("--topology", type=Path, default=Path("infra/topology.yaml"))
    options = parser.parse_args(arguments)
    sys.stdout.write(render(model.load(options.topology)))


if __name__ == "__main__":
    main(sys.argv[1:])
