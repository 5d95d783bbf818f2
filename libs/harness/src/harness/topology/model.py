"""Topics, queues and ports of the shop, read from infra/topology.yaml. Creates nothing."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

DEAD_LETTER_SUFFIX = "-dlq"

# SQS: up to 80 letters, digits, hyphens, underscores; four are kept free for DEAD_LETTER_SUFFIX.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,76}$")]
Port = Annotated[int, Field(ge=1, le=65535)]
EventType = Annotated[str, StringConstraints(pattern=r"^[a-z]+\.[a-z_]+$")]
EventTypes = Annotated[tuple[EventType, ...], Field(min_length=1)]
# A place in the file: the keys from its top down.
Place = tuple[str | int, ...]


class TopologyError(ValueError):
    """The file contradicts itself. The message has one line for each contradiction."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class QueueDefaults(_Frozen):
    """What every queue has. The ranges are those of SQS's SetQueueAttributes."""

    visibility_timeout_s: Annotated[int, Field(ge=0, le=43_200)]
    receive_wait_s: Annotated[int, Field(ge=0, le=20)]
    # Never 1: SQS may count a receive that nobody saw.
    max_receive_count: Annotated[int, Field(ge=2, le=1_000)]
    retention_s: Annotated[int, Field(ge=60, le=1_209_600)]


class Defaults(_Frozen):
    queue: QueueDefaults


class Service(_Frozen):
    port: Port
    topic: Name | None = None
    queue: Name | None = None


class Infrastructure(_Frozen):
    port: Port


class Topology(_Frozen):
    """`topics`: topic to the event types its owner publishes. `queues`: queue to topic to the event
    types that pass the subscription's filter."""

    defaults: Defaults
    services: Mapping[Name, Service]
    infrastructure: Mapping[Name, Infrastructure]
    topics: Mapping[Name, EventTypes]
    queues: Mapping[Name, Mapping[Name, EventTypes]]

    @property
    def queue_defaults(self) -> QueueDefaults:
        return self.defaults.queue

    def dead_letter_queue(self, queue: str) -> str:
        """Its name. Raises KeyError when there is no such queue."""
        if queue not in self.queues:
            raise KeyError(queue)
        return queue + DEAD_LETTER_SUFFIX

    @property
    def consumers(self) -> dict[str, frozenset[str]]:
        """Event type -> the services whose queue lets it through."""
        services = {s.queue: name for name, s in self.services.items() if s.queue}
        found: dict[str, set[str]] = {}
        for _, queue, event_types in self.subscriptions():
            for event_type in event_types:
                found.setdefault(event_type, set()).add(services[queue])
        return {event_type: frozenset(names) for event_type, names in found.items()}

    def subscriptions(self) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """Every (topic, queue, event types), in the order of the file."""
        for queue, by_topic in self.queues.items():
            for topic, event_types in by_topic.items():
                yield topic, queue, event_types


def load(path: Path) -> Topology:
    """The topology in the file. Raises TopologyError, naming line and key of everything wrong."""
    root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    problems = list(_repeated_keys(root))
    if not problems:
        try:
            topology = Topology.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except ValidationError as error:
            problems = [(tuple(e["loc"]), e["msg"]) for e in error.errors()]
        else:
            problems = [*_unknown_names(topology), *_owners(topology), *_shared_ports(topology)]
            if not problems:
                return topology
    lines = [_located(path, root, place, problem) for place, problem in problems]
    raise TopologyError("\n".join(lines))


def _unknown_names(topology: Topology) -> Iterator[tuple[Place, str]]:
    for name, service in topology.services.items():
        if service.topic is not None and service.topic not in topology.topics:
            yield ("services", name, "topic"), f"there is no topic {service.topic}"
        if service.queue is not None and service.queue not in topology.queues:
            yield ("services", name, "queue"), f"there is no queue {service.queue}"
    for topic, queue, event_types in topology.subscriptions():
        if topic not in topology.topics:
            yield ("queues", queue, topic), f"there is no topic {topic}"
            continue
        for event_type in event_types:
            if event_type not in topology.topics[topic]:
                yield ("queues", queue, topic), f"{topic} does not publish {event_type}"


def _owners(topology: Topology) -> Iterator[tuple[Place, str]]:
    """A topic has one publisher and a queue one consumer: two would share its messages."""
    services = topology.services.values()
    for kind, names, owned in (
        ("topics", topology.topics, [service.topic for service in services]),
        ("queues", topology.queues, [service.queue for service in services]),
    ):
        for name in names:
            if owned.count(name) != 1:
                yield (kind, name), f"belongs to {owned.count(name)} services instead of one"


def _shared_ports(topology: Topology) -> Iterator[tuple[Place, str]]:
    owners: dict[int, Place] = {}
    listeners: Iterable[tuple[Place, int]] = [
        *((("services", name, "port"), it.port) for name, it in topology.services.items()),
        *(
            (("infrastructure", name, "port"), it.port)
            for name, it in topology.infrastructure.items()
        ),
    ]
    for place, port in listeners:
        if port in owners:
            yield place, f"port {port} is already that of {owners[port][1]}"
        owners.setdefault(port, place)


def _repeated_keys(node: yaml.Node | None, above: Place = ()) -> Iterator[tuple[Place, str]]:
    """YAML forbids a repeated key; PyYAML keeps the last one and says nothing."""
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        if key.value in seen:
            yield (*above, key.value), "is there twice"
        seen.add(key.value)
        yield from _repeated_keys(value, (*above, key.value))


def _located(path: Path, root: yaml.Node | None, place: Place, problem: str) -> str:
    key = ".".join(str(part) for part in place)
    return f"{path}:{_line(root, place)}: {key}: {problem}"


def _line(node: yaml.Node | None, place: Place) -> int:
    """The line, from 1, of the deepest part of the place that the file has."""
    line = 1
    for part in place:
        if isinstance(node, yaml.MappingNode):
            found = [pair for pair in node.value if pair[0].value == part]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            found = [(item, item) for item in node.value[part : part + 1]]
        else:
            found = []
        if not found:
            break
        # The last of repeated keys is the one too many.
        key, node = found[-1]
        line = key.start_mark.line + 1
    return line
