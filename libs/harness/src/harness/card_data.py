"""Finds card numbers in a trace (PCI DSS 3.4: a PAN is never readable). Reports, never repairs."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.causality import Trace
from harness.spans import Attributes, Span

# 13 to 19 digits (ISO/IEC 7812-1) in a row, or grouped as printed on cards: 4-4-4-4, 4-6-5, 4-6-4.
# First digit 2 to 6: banking and travel issuers. 1 is left out on purpose: the time in nanoseconds
# starts with it until 2033, has 19 digits, and one in ten of them passes Luhn.
CARD_NUMBER = re.compile(
    r"(?<!\d)[2-6]\d{12,18}(?!\d)"
    r"|(?<!\d)[2-6]\d{3}([ -])(?:\d{4}\1\d{4}\1\d{4}|\d{6}\1\d{4,5})(?!\d)"
)

# Digits within these are chance, not a card: UUIDs, hex ids of the usual lengths, and the payment
# provider's, as evt_ and 24 of hex. All digits and no letter is no chance.
IDENTIFIER = re.compile(
    r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
    r"|\b(?=[0-9]*[a-f])(?:[0-9a-f]{16}|[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})\b"
    r"|\b[a-z]{2,4}_(?=[0-9]*[a-f])[0-9a-f]{24}\b",
    re.IGNORECASE,
)

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
        for match in CARD_NUMBER.finditer(IDENTIFIER.sub("|", text)):
            digits = re.sub(r"\D", "", match.group())
            if passes_luhn(digits):
                yield digits


def passes_luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 Annex B: double every second digit from the right, the sum ends in 0."""
    doubled = (int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(digits)))
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0
