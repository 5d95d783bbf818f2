"""LocalStack's start script, made from the topology. Runs nothing.

`python -m harness.topology.localstack` prints infra/localstack/init-aws.sh. That creates what
`messaging.create` creates: both take the attributes from there.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.topology import messaging, model
from harness.topology.model import Topology

# LocalStack's account when no other is asked for (docs.localstack.cloud, "Multi-account setups").
ACCOUNT = "000000000000"

_HEAD = """\
#!/usr/bin/env bash
# GENERATED from infra/topology.yaml: change that, then run
#   python -m harness.topology.localstack > infra/localstack/init-aws.sh
# LocalStack runs this when it is ready. The calls of a step run side by side, because each starts
# a Python of its own; the next step begins when all of them have succeeded.
set -euo pipefail

calls=()
aside() { awslocal "$@" > /dev/null & calls+=("$!"); }
step_done() { for call in "${calls[@]}"; do wait "$call"; done; calls=(); }
"""


def render(topology: Topology, region: str = messaging.REGION) -> str:
    """The whole script, ending in a line break."""
    steps = {
        "Topics": _topics(topology),
        "Dead-letter queues": _dead_letter_queues(topology),
        "Queues, each with its dead-letter queue": _queues(topology, region),
        "Subscriptions: raw, filtered by event type": _subscriptions(topology, region),
    }
    return _HEAD + "".join(
        f"\n# {title}\n" + "".join(f"{_line(call, region)}\n" for call in calls) + "step_done\n"
        for title, calls in steps.items()
    )


# One call: service, operation, options.
Call = tuple[str, str, Mapping[str, str]]


def _line(call: Call, region: str) -> str:
    service, operation, options = call
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    return shlex.join(["aside", service, operation, "--region", region, *words])


def _topics(topology: Topology) -> Iterator[Call]:
    for topic in topology.topics:
        yield "sns", "create-topic", {"name": topic}


def _dead_letter_queues(topology: Topology) -> Iterator[Call]:
    attributes = json.dumps(messaging.dead_letter_attributes(topology))
    for queue in topology.queues:
        name = topology.dead_letter_queue(queue)
        yield "sqs", "create-queue", {"queue-name": name, "attributes": attributes}


def _queues(topology: Topology, region: str) -> Iterator[Call]:
    for queue in topology.queues:
        dead_letter_arn = _arn("sqs", region, topology.dead_letter_queue(queue))
        attributes = json.dumps(messaging.queue_attributes(topology, dead_letter_arn))
        yield "sqs", "create-queue", {"queue-name": queue, "attributes": attributes}


def _subscriptions(topology: Topology, region: str) -> Iterator[Call]:
    for topic, queue, event_types in topology.subscriptions():
        dead_letter_arn = _arn("sqs", region, topology.dead_letter_queue(queue))
        attributes = messaging.subscription_attributes(event_types, dead_letter_arn)
        yield (
            "sns",
            "subscribe",
            {
                "topic-arn": _arn("sns", region, topic),
                "protocol": "sqs",
                "notification-endpoint": _arn("sqs", region, queue),
                "attributes": json.dumps(attributes),
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
