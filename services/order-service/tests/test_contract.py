"""What is promised under contract/ and docs/problems is what the code does."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from common import errors, problems
from common.db import Database
from common.events import Event
from common.testing import deliver, published
from flask.testing import FlaskClient
from order import domain, routes
from order.worker import ANSWERS, HANDLERS
from order_fixtures import Ana

SERVICE = Path(__file__).parents[1]
ROOT = SERVICE.parents[1]
PROBLEMS = ROOT / "docs" / "problems"
CONTRACT: dict[str, Any] = yaml.safe_load((SERVICE / "contract" / "openapi.yaml").read_text())
TOPOLOGY: dict[str, Any] = yaml.safe_load((ROOT / "infra" / "topology.yaml").read_text())
SCHEMAS: dict[str, dict[str, Any]] = {
    path.name.removesuffix(".v1.json"): json.loads(path.read_text())
    for path in (SERVICE / "contract" / "events").glob("*.json")
}
TYPES: dict[str, type] = {"object": dict, "array": list, "string": str, "integer": int}


def faults(value: Any, schema: dict[str, Any], at: str = "") -> list[str]:
    """What of *value* is not as *schema* says, or is not said there: the keywords we use."""
    if not isinstance(value, TYPES[schema["type"]]):
        return [f"{at}: {value!r} is no {schema['type']}"]
    if isinstance(value, list):
        return [
            f for n, item in enumerate(value) for f in faults(item, schema["items"], f"{at}/{n}")
        ]
    if isinstance(value, dict):
        named = schema["properties"]
        found = [f"{at}: {name}" for name in set(schema["required"]) ^ set(value)]
        return found + [
            f for n in named if n in value for f in faults(value[n], named[n], f"{at}/{n}")
        ]
    wrong = [
        isinstance(value, int) and value < schema.get("minimum", value),
        isinstance(value, str) and not re.search(schema.get("pattern", ""), value),
        value not in schema.get("enum", [value]),
    ]
    return [f"{at}: {value!r}"] if any(wrong) else []


def test_the_paths_promised_are_the_paths_served(client: FlaskClient) -> None:
    served = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in client.application.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint not in {"static", "healthz", "readyz"}
    }

    promised = {
        (path, method)
        for path, operations in CONTRACT["paths"].items()
        for method in operations
        if method != "parameters"
    }

    assert promised - {("/healthz", "get"), ("/readyz", "get")} == served


def test_the_order_promised_is_the_one_taken() -> None:
    taken = routes.PlaceOrderIn.model_json_schema()
    line = taken["$defs"]["LineIn"]

    promised = CONTRACT["components"]["schemas"]["PlaceOrder"]
    lines = promised["properties"]["lines"]

    assert set(promised["properties"]) == set(taken["properties"])
    assert set(promised["required"]) == set(taken["required"])
    assert promised["additionalProperties"] is taken["additionalProperties"] is False
    assert (
        promised["properties"]["payment_method"]["pattern"]
        == taken["properties"]["payment_method"]["pattern"]
    )
    assert (lines["minItems"], lines["maxItems"]) == (1, routes.LINES_MAX)
    assert lines["items"]["properties"]["sku"]["pattern"] == line["properties"]["sku"]["pattern"]
    assert lines["items"]["properties"]["quantity"] == {
        "type": "integer", "minimum": 1, "maximum": routes.QUANTITY_MAX,
    }  # fmt: skip


def test_the_order_promised_is_the_one_shown(ana: Ana) -> None:
    schemas = CONTRACT["components"]["schemas"]
    own = schemas["Order"]["allOf"][1]

    shown = ana.place().json

    assert set(shown) == {*schemas["OrderSummary"]["required"], *own["required"]}
    for part in ("lines", "history"):
        assert set(shown[part][0]) == set(own["properties"][part]["items"]["required"])


def test_each_event_is_of_the_schema_promised(db: Database, ana: Ana) -> None:
    confirmed, cancelled = (ana.place(key).json["id"] for key in ("k-1", "k-2"))
    ana.cancel(cancelled)
    for event_type, order_id in (("payment.authorized", confirmed), ("payment.voided", cancelled)):
        deliver(db, HANDLERS, Event(event_type, order_id, {"order_id": order_id}))

    events = published(db)

    assert {event.type for event in events} == set(SCHEMAS)
    assert {event.subject for event in events} == {confirmed, cancelled}
    assert [f for event in events for f in faults(event.data, SCHEMAS[event.type])] == []


def test_the_topology_agrees_about_who_says_what() -> None:
    assert sorted(TOPOLOGY["topics"]["order-events"]) == sorted(SCHEMAS)
    heard = [e for events in TOPOLOGY["queues"]["order-inbox"].values() for e in events]
    assert sorted(heard) == sorted(ANSWERS)


@pytest.mark.parametrize(
    "refusal",
    [kind for kind in vars(domain).values() if isinstance(kind, type) and "title" in vars(kind)],
)
def test_every_refusal_has_its_page(refusal: type[errors.Refusal]) -> None:
    status = next(code for base, code in problems.STATUS.items() if issubclass(refusal, base))
    type_ = problems.problem_type(refusal)

    page = (PROBLEMS / f"{type_.rpartition('/')[2]}.md").read_text()

    assert page.startswith(f"# {refusal.title}\n")
    assert f"Type `{type_}` · status {status}" in page


def test_every_problem_named_in_the_contract_has_a_page() -> None:
    described = [
        response.get("description", "")
        for operations in CONTRACT["paths"].values()
        for method, operation in operations.items()
        if method != "parameters"
        for status, response in operation["responses"].items()
        if status >= "400"
    ]
    names = {name for text in described for name in re.findall(r"[a-z]+(?:-[a-z]+)*", text)}

    assert {"price-changed", "unknown-sku", "not-cancellable", "catalog-unavailable"} <= names
    assert {name for name in names if not (PROBLEMS / f"{name}.md").exists()} == set()
