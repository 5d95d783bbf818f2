"""What must exist before services start; starts none of them.

`python -m harness.providers.preparation database` or `messaging`: each runs once, in a process
of its own, so that the supervisor needs neither psycopg2 nor boto3.
"""

import argparse
import json
import os
from pathlib import Path

# What `messaging` writes, and `database` reads from its environment: see the functions below.
DSN_VARIABLE = "SUPERUSER_DSN"
PASSWORDS_VARIABLE = "ROLE_PASSWORDS"


def prepare_database(services: list[str]) -> None:
    """Roles and schemas, from ``SUPERUSER_DSN`` and ``ROLE_PASSWORDS`` (JSON, by role)."""
    from harness.providers import roles

    passwords = json.loads(os.environ[PASSWORDS_VARIABLE])
    roles.bootstrap(os.environ[DSN_VARIABLE], services, passwords)


def prepare_messaging(topology_file: Path, endpoint_url: str, result: Path) -> None:
    """Topics and queues; *result* gets their ARNs and URLs as JSON, by the topology's names."""
    from harness.topology import messaging, model

    made = messaging.create(model.load(topology_file), endpoint_url)
    document = {
        "topic_arns": dict(made.topic_arns),
        "queue_urls": dict(made.queue_urls),
        "dead_letter_queue_urls": dict(made.dead_letter_queue_urls),
    }
    result.write_text(json.dumps(document))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parts = parser.add_subparsers(dest="part", required=True)
    database = parts.add_parser("database")
    database.add_argument("services", nargs="+")
    queues = parts.add_parser("messaging")
    queues.add_argument("--topology", type=Path, required=True)
    queues.add_argument("--endpoint-url", required=True)
    queues.add_argument("--result", type=Path, required=True)
    options = parser.parse_args()
    if options.part == "database":
        prepare_database(options.services)
    else:
        prepare_messaging(options.topology, options.endpoint_url, options.result)


if __name__ == "__main__":
    main()
