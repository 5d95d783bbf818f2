"""Each service's AsyncAPI 3 document, made from the topology and the events' JSON Schemas.

`python -m harness.contracts.asyncapi` writes `services/*/contract/asyncapi.yaml`. The schemas are
copied in, so that a document can be read alone; what is edited are the files under
`contract/events/`.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from harness.topology.model import Topology, load

Json = dict[str, Any]

# CloudEvents 1.0, JSON format §3: the envelope of every event (python-common's `common.events`).
ENVELOPE: Json = {
    "type": "object",
    "required": ["specversion", "id", "source", "type", "subject", "time", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "format": "uuid", "description": "UUIDv7; the same each time."},
        "source": {"type": "string", "description": "The service that says so."},
        "subject": {"type": "string", "description": "Id of what it happened to."},
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "traceparent": {"type": "string", "description": "W3C Trace Context."},
    },
}
# As SNS message attributes, and with raw delivery as SQS message attributes.
HEADERS: Json = {
    "type": "object",
    "required": ["event_type", "event_id"],
    "properties": {
        "event_type": {"type": "string", "description": "What subscriptions filter by."},
        "event_id": {"type": "string", "format": "uuid"},
        "traceparent": {"type": "string"},
    },
}


class SchemaMissing(Exception):
    """An event of the topology has no JSON Schema at its publisher."""


def schema_paths(root: Path) -> dict[str, Path]:
    """Event type -> the file of its schema, in the contract of the service that publishes it."""
    found = root.glob("services/*-service/contract/events/*.v1.json")
    return {path.name.removesuffix(".v1.json"): path for path in sorted(found)}


def render(topology: Topology, schemas: Mapping[str, Json], service: str) -> Json:
    """The document of *service*. Raises SchemaMissing."""
    it = topology.services[service]
    sent = [(it.topic, e) for e in topology.topics[it.topic]] if it.topic else []
    received = [(it.queue, e) for e in _received(topology, it.queue)] if it.queue else []
    channels: Json = {}
    for channel, event_type in [*sent, *received]:
        protocol = "sns" if channel in topology.topics else "sqs"
        messages = channels.setdefault(channel, _channel(channel, protocol))["messages"]
        messages[event_type] = {"$ref": f"#/components/messages/{event_type}"}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"Cartwright {service}: events",
            "version": "1.0.0",
            "description": "Made by `python -m harness.contracts.asyncapi` from infra/topology.yaml"
            " and the schemas of the events; change those. Delivery is at least once, in any order."
            " Consumers ignore members that they do not know.",
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": channels,
        "operations": {
            **{f"send.{e}": _operation("send", channel, e) for channel, e in sent},
            **{f"receive.{e}": _operation("receive", channel, e) for channel, e in received},
        },
        "components": {
            "messages": {e: _message(schemas, e) for _, e in [*sent, *received]},
        },
    }


def _received(topology: Topology, queue: str) -> Iterator[str]:
    for event_types in topology.queues[queue].values():
        yield from event_types


def _channel(name: str, protocol: str) -> Json:
    kind = {"sns": "topic", "sqs": "queue"}[protocol]
    return {"address": name, "title": f"The {protocol.upper()} {kind} {name}", "messages": {}}


def _operation(action: str, channel: str, event_type: str) -> Json:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{event_type}"}],
    }


def _message(schemas: Mapping[str, Json], event_type: str) -> Json:
    if event_type not in schemas:
        raise SchemaMissing(
            f"{event_type}: its publisher has no contract/events/{event_type}.v1.json"
        )
    schema = {k: v for k, v in schemas[event_type].items() if k not in {"$schema", "$id"}}
    properties = ENVELOPE["properties"] | {"type": {"const": event_type}, "data": schema}
    return {
        "name": event_type,
        "summary": schema.get("description", event_type),
        "headers": HEADERS,
        "payload": ENVELOPE | {"properties": properties},
    }


class _PlainDumper(yaml.CSafeDumper):
    """Without anchors: a reader should not have to look elsewhere in the file."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  The base class gives the name.
        return True


def to_yaml(document: Json) -> str:
    return yaml.dump(document, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=100)


def documents(root: Path) -> Iterable[tuple[Path, str]]:
    """Every (file, what it should hold). Raises SchemaMissing, TopologyError."""
    topology = load(root / "infra/topology.yaml")
    schemas = {e: json.loads(path.read_text()) for e, path in schema_paths(root).items()}
    for service in topology.services:
        path = root / f"services/{service}-service/contract/asyncapi.yaml"
        yield path, to_yaml(render(topology, schemas, service))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m harness.contracts.asyncapi", description=__doc__
    )
    parser.add_argument("--root", type=Path, default=Path())
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if one is stale")
    options = parser.parse_args(arguments)
    stale = [
        (path, text)
        for path, text in documents(options.root)
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path, text in stale:
        if options.check:
            sys.stderr.write(f"{path} is stale. Run: python -m harness.contracts.asyncapi\n")
        else:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{path}\n")
    return int(options.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
