"""What the services have promised so far, and whether what they promise now keeps it.

`infra/contracts.lock.json` holds every event's schema and every operation's request and answers,
without their prose. The build fails when a contract breaks what is locked, and when it has grown
and the lock has not: `python -m harness.contracts.lock --accept` writes what has grown.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from harness.contracts.asyncapi import schema_paths
from harness.contracts.compatibility import Direction, breaks

Json = dict[str, Any]
# libyaml's, ten times as fast: these documents are long.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

LOCK = Path("infra/contracts.lock.json")
METHODS = ("get", "put", "post", "delete", "patch")
# Words for people; a change of theirs breaks nothing.
PROSE = frozenset({"$schema", "$id", "title", "description", "summary", "example", "examples"})


def promised(root: Path) -> Json:
    """Everything the committed contracts promise, in the form of the lock."""
    return {
        "events": {
            event_type: _bare(json.loads(path.read_text()))
            for event_type, path in schema_paths(root).items()
        },
        "operations": {
            name: operation
            for service, document in contracts(root)
            for name, operation in _operations(service, document)
        },
    }


def contracts(root: Path) -> Iterator[tuple[str, Json]]:
    """Each service's name and OpenAPI document."""
    for path in sorted(root.glob("services/*-service/contract/openapi.yaml")):
        document = yaml.load(path.read_text(encoding="utf-8"), _LOADER)  # noqa: S506  Safe.
        yield path.parents[1].name.removesuffix("-service"), document


def broken(locked: Json, now: Json) -> Iterator[str]:
    """One sentence for each promise of *locked* that *now* does not keep. Pure."""
    for event_type, schema in locked["events"].items():
        if event_type not in now["events"]:
            yield f"{event_type}: is no longer published"
            continue
        for fault in breaks(schema, now["events"][event_type], Direction.SAYS):
            yield f"{event_type}: {fault}"
    for name, operation in locked["operations"].items():
        if name not in now["operations"]:
            yield f"{name}: is gone"
            continue
        yield from _broken_operation(name, operation, now["operations"][name])


def _broken_operation(name: str, locked: Json, now: Json) -> Iterator[str]:
    for fault in breaks(locked["takes"], now["takes"], Direction.TAKES):
        yield f"{name}: {fault}"
    for status, schema in locked["says"].items():
        if status not in now["says"]:
            if status.startswith("2"):
                yield f"{name}: no longer answers {status}"
            continue
        for fault in breaks(schema, now["says"][status], Direction.SAYS):
            yield f"{name} {status}: {fault}"


def _operations(service: str, document: Json) -> Iterator[tuple[str, Json]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                operation = item[method]
                shared = item.get("parameters", [])
                yield (
                    f"{service}: {method.upper()} {path}",
                    {
                        "takes": _takes(document, operation, shared),
                        "says": {
                            str(status): _content(document, _resolve(document, answer))
                            for status, answer in operation["responses"].items()
                        },
                    },
                )


def _takes(document: Json, operation: Json, shared: list[Json]) -> Json:
    """Parameters and body as one object, so that they are compared like any other."""
    members: Json = {}
    required: list[str] = []
    for written in [*shared, *operation.get("parameters", [])]:
        parameter = _resolve(document, written)
        name = f"{parameter['in']}:{parameter['name']}"
        members[name] = _bare(_inline(document, parameter.get("schema", {})))
        if parameter.get("required"):
            required.append(name)
    if "requestBody" in operation:
        body = _resolve(document, operation["requestBody"])
        members["body"] = _content(document, body)
        if body.get("required"):
            required.append("body")
    return {"type": "object", "properties": members, "required": sorted(required)}


def _content(document: Json, described: Json) -> Json:
    """The schema of the JSON that *described* carries; nothing of other media types."""
    for media_type, content in described.get("content", {}).items():
        if media_type.endswith("json"):
            schema: Json = _bare(_inline(document, content.get("schema", {})))
            return schema
    return {}


def _inline(document: Json, schema: Any, inside: tuple[str, ...] = ()) -> Any:
    """*schema* with what it refers to in its place; a schema within itself stays a reference."""
    if isinstance(schema, list):
        return [_inline(document, part, inside) for part in schema]
    if not isinstance(schema, dict):
        return schema
    reference = schema.get("$ref")
    if reference is None:
        return {name: _inline(document, part, inside) for name, part in schema.items()}
    if reference in inside:
        return schema
    beside = {name: part for name, part in schema.items() if name != "$ref"}
    target: Json = _inline(document, _resolve(document, schema), (*inside, reference))
    return target | beside


def _resolve(document: Json, thing: Mapping[str, Any]) -> Json:
    """What a local reference points to, or the thing itself."""
    if "$ref" not in thing:
        return dict(thing)
    found: Any = document
    for part in thing["$ref"].removeprefix("#/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return dict(found)


def _bare(schema: Any) -> Any:
    """*schema* without prose. A member of a schema may well be called `title`."""
    if isinstance(schema, list):
        return [_bare(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: {member: _bare(part) for member, part in value.items()}
        if name == "properties"
        else _bare(value)
        for name, value in schema.items()
        if name not in PROSE
    }


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1: a promise is broken, or the lock is out of date."""
    parser = argparse.ArgumentParser(prog="python -m harness.contracts.lock", description=__doc__)
    parser.add_argument("--accept", action="store_true", help="lock what has been added")
    parser.add_argument("--accept-breaking", action="store_true", help="and what was broken")
    parser.add_argument("--root", type=Path, default=Path())
    options = parser.parse_args(arguments)
    lock, now = options.root / LOCK, promised(options.root)
    locked = json.loads(lock.read_text()) if lock.exists() else {"events": {}, "operations": {}}
    faults = list(broken(locked, now))
    if faults and not options.accept_breaking:
        sys.stderr.write("".join(f"broken: {fault}\n" for fault in faults))
        sys.stderr.write("A new version of the contract beside the old one breaks nobody.\n")
        return 1
    if options.accept or options.accept_breaking:
        lock.write_text(json.dumps(now, indent=1, sort_keys=True) + "\n")
    elif locked != now:
        sys.stderr.write("contracts have grown: run python -m harness.contracts.lock --accept\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
