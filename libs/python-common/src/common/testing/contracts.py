"""Holds events to the JSON Schemas that their publishers have committed."""

import functools
import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator

from common.events import Event

REPOSITORY = Path(__file__).resolve().parents[5]


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
