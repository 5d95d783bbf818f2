"""What is promised under contract/ and by the problems' pages is what the code does."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from common import contract, errors, problems
from common.db import Database
from common.ids import new_id
from common.problem_pages import TEXTS
from common.testing import deliver, promised, published
from common.testing.contracts import hold_to_contract
from order import domain
from order.routes import bodies, streams
from order.worker import HANDLERS
from order_fixtures import Ana

SERVICE = Path(__file__).parents[1]
ROOT = SERVICE.parents[1]
CONTRACT: dict[str, Any] = contract.read(SERVICE / "contract" / "openapi.yaml")
TOPOLOGY: dict[str, Any] = yaml.safe_load((ROOT / "infra" / "topology.yaml").read_text())
SCHEMAS: dict[str, dict[str, Any]] = {
    path.name.removesuffix(".v1.json"): json.loads(path.read_text())
    for path in (SERVICE / "contract" / "events").glob("*.json")
}


def test_the_order_promised_is_the_one_taken() -> None:
    taken = bodies.PlaceOrderIn.model_json_schema()
    line = taken["$defs"]["LineIn"]

    promised = CONTRACT["components"]["schemas"]["PlaceOrder"]
    lines = CONTRACT["components"]["schemas"]["LinesIn"]

    assert set(promised["properties"]) == set(taken["properties"])
    assert set(promised["required"]) == set(taken["required"])
    assert promised["additionalProperties"] is taken["additionalProperties"] is False
    assert (
        promised["properties"]["payment_method"]["pattern"]
        == taken["properties"]["payment_method"]["pattern"]
    )
    assert (lines["minItems"], lines["maxItems"]) == (1, bodies.LINES_MAX)
    assert lines["items"]["properties"]["sku"]["pattern"] == line["properties"]["sku"]["pattern"]
    assert lines["items"]["properties"]["quantity"] == {
        "type": "integer", "minimum": 1, "maximum": domain.QUANTITY_MAX,
    }  # fmt: skip


def test_each_event_is_of_the_schema_promised(db: Database, ana: Ana) -> None:
    confirmed, cancelled, returned = (ana.place(key).json["id"] for key in ("k-1", "k-2", "k-3"))
    ana.cancel(cancelled)
    challenge = {"order_id": confirmed, "action_url": "https://bank.example/3ds"}
    deliver(db, HANDLERS, promised("payment.action_required", confirmed, challenge))
    for event_type, order_id in (
        ("payment.authorized", confirmed),
        ("payment.voided", cancelled),
        ("payment.authorized", returned),
        ("payment.captured", returned),
    ):
        deliver(db, HANDLERS, promised(event_type, order_id, {"order_id": order_id}))
    return_id = ana.take_back(returned, 1).json["id"]
    ana.hand_in(returned, return_id)
    refund = {
        "order_id": returned,
        "refund_id": new_id(),
        "return_id": return_id,
        "amount_minor": 9,
    }
    deliver(db, HANDLERS, promised("payment.refunded", returned, refund))

    events = published(db)

    for event in events:
        hold_to_contract(event)
    assert {event.type for event in events} == set(SCHEMAS)
    assert {event.subject for event in events} == {confirmed, cancelled, returned}


def test_the_topology_agrees_about_who_says_what() -> None:
    assert sorted(TOPOLOGY["topics"]["order-events"]) == sorted(SCHEMAS)
    heard = [e for events in TOPOLOGY["queues"]["order-inbox"].values() for e in events]
    assert sorted(heard) == sorted(HANDLERS)


@pytest.mark.parametrize(
    "refusal",
    [
        kind
        for module in (domain, streams)
        for kind in vars(module).values()
        if isinstance(kind, type) and "title" in vars(kind)
    ],
)
def test_every_refusal_has_its_page(refusal: type[errors.Refusal]) -> None:
    status = next(code for base, code in problems.STATUS.items() if issubclass(refusal, base))
    type_ = problems.problem_type(refusal)

    page = (TEXTS / f"{type_.rpartition('/')[2]}.md").read_text()

    assert page.startswith(f"# {refusal.title}\n")
    assert f"Type `{type_}` · status {status}" in page
