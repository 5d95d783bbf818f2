"""Finds card numbers in a trace (PCI DSS 3.4: a PAN is never readable). Reports, never repairs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from card_numbers import find

from harness.traces.causality import Trace
from harness.traces.spans import Attributes, Span

SHOWN_DIGITS = 4  # PCI DSS 3.4.1 lets the last four be shown; a report needs no more.


@dataclass(frozen=True)
class CardNumber:
    """Where a card number was found. Holds only its last digits."""

    span: Span
    place: str  # attribute, resource, event, link, name or status
    key: str
    last_digits: str

    def __str__(self) -> str:
        # The span goes by its id: its name may be the very place.
        where = f"{self.place} {self.key}".rstrip()
        span = f"{self.span.service} span {self.span.span_id}"
        return f"card number ending in {self.last_digits} in {where} of {span}"


def no_card_data(trace: Trace) -> list[CardNumber]:
    """Every card number in names, messages and attributes of spans, events, links, resources."""
    return [
        CardNumber(span, place, key, number[-SHOWN_DIGITS:])
        for span in trace.spans
        for place, attributes in written(span)
        for key, value in attributes.items()
        for number in card_numbers(value)
    ]


def written(span: Span) -> Iterator[tuple[str, Attributes]]:
    """Everything *span* says, as (place, attributes)."""
    yield "name", {"": span.name}
    yield "status", {"": span.status_message}
    yield "attribute", span.attributes
    yield "resource", span.resource
    for event in span.events:
        yield "event", {"": event.name, **event.attributes}
    for link in span.links:
        yield "link", link.attributes


def card_numbers(value: Any) -> Iterator[str]:
    """The card numbers within an attribute's value, digits only; looks into lists and maps."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from card_numbers(key)
            yield from card_numbers(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from card_numbers(item)
    else:
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        yield from find(text)
