"""Holds events to the JSON Schemas that their publishers have committed."""

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator

from common.events import Event

REPOSITORY = Path(__file__).resolve().parents[5]
# What a test that does not care may be told, by the member's name; true of every schema.
SAMPLES: Mapping[str, object] = {
    "amount_minor": 1999,
    "authorized": True,
    "currency": "USD",
    "customer_id": "0197b2f0-0000-7000-8000-00000000ada0",
    "email": "ada@customer.example",
    "lines": [{"sku": "MUG-1", "name": "Mug", "quantity": 1, "unit_price_minor": 1250}],
    "missing": [{"sku": "MUG-1", "requested": 1, "available": 0}],
    "payment_id": "0197b2f0-0000-7000-8000-000000000001",
    "payment_method": "pm_ok",
    "reason": "customer_cancelled",
    "refund_id": "0197b2f0-0000-7000-8000-000000000002",
    "return_id": "0197b2f0-0000-7000-8000-000000000003",
    "total_minor": 1999,
}


class OffContract(AssertionError):
    """An event that no schema promises, or that is not what its schema promises."""


@functools.cache
def _validator(event_type: str) -> Validator | None:
    found = list(REPOSITORY.glob(f"services/*-service/contract/events/{event_type}.v1.json"))
    if not found:
        return None
    schema: dict[str, Any] = json.loads(found[0].read_text(encoding="utf-8"))
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def hold_to_contract(event: Event) -> None:
    """Raises OffContract, naming each place and what is wrong there."""
    validator = _validator(event.type)
    if validator is None:
        raise OffContract(f"{event.type}: no service's contract/events has it")
    faults = [
        f"/{'/'.join(map(str, error.path))}: {error.message}"
        for error in validator.iter_errors(event.data)
    ]
    if faults:
        raise OffContract(f"{event.type}: {'; '.join(faults)}")


def promised(event_type: str, subject: str, data: Mapping[str, object]) -> Event:
    """An event with *data*, and samples of what else its schema says has to be there."""
    validator = _validator(event_type)
    required = validator.schema["required"] if validator else ()  # type: ignore[index]
    samples = {name: SAMPLES[name] for name in required if name in SAMPLES}
    return Event(event_type, subject, {**samples, **data})
