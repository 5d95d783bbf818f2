"""What the services have committed under contract/, and what of it events and requests keep."""

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator
from pydantic import BaseModel

from common import contract
from common.events import Event

REPOSITORY = Path(__file__).resolve().parents[5]
# Keywords that bound a value; prose and defaults may differ.
BOUNDS = {
    "type", "pattern", "const", "minLength", "maxLength", "minimum", "maximum",
    "exclusiveMinimum", "minItems", "maxItems", "required", "additionalProperties",
}  # fmt: skip
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


def document_of(service: str) -> dict[str, Any]:
    """*service*'s OpenAPI document, read anew."""
    found: dict[str, Any] = contract.read(
        REPOSITORY / f"services/{service}-service/contract/openapi.yaml"
    )
    return found


def events_of(service: str) -> dict[str, dict[str, Any]]:
    """The schema of every event that *service* publishes, by the event's type."""
    folder = REPOSITORY / f"services/{service}-service/contract/events"
    return {
        path.name.removesuffix(".v1.json"): json.loads(path.read_text(encoding="utf-8"))
        for path in folder.glob("*.json")
    }


def resolved(root: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any]:
    """*part*, or what it refers to in *root* (``$ref``)."""
    while "$ref" in part:
        found: Any = root
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = found
    return part


def bounds(schema: Mapping[str, Any], root: Mapping[str, Any]) -> dict[str, Any]:
    """*schema* with its references into *root* resolved and only its bounds kept."""
    schema = resolved(root, schema)
    kept = {key: value for key, value in schema.items() if key in BOUNDS}
    if "required" in kept:
        kept["required"] = sorted(kept["required"])
    if "items" in schema:
        kept["items"] = bounds(schema["items"], root)
    if "properties" in schema:
        kept["properties"] = {
            name: bounds(member, root) for name, member in schema["properties"].items()
        }
    return kept


def bounds_promised(service: str, name: str) -> dict[str, Any]:
    """Of the schema *name* in *service*'s OpenAPI document."""
    document = document_of(service)
    return bounds(document["components"]["schemas"][name], document)


def bounds_taken(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    return bounds(schema, schema)


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
