"""What is promised under contract/ and by the problems' pages is what the code does."""

from typing import Any

import pytest
import yaml
from common import errors
from common.db import Database
from common.ids import new_id
from common.testing import deliver, promised, published
from common.testing.contracts import REPOSITORY, document_of, events_of, hold_to_contract
from common.testing.refusals import refusals_of, without_page
from order import domain
from order.routes import bodies, streams
from order.worker import HANDLERS
from order_fixtures import Ana

CONTRACT = document_of("order")
TOPOLOGY: dict[str, Any] = yaml.safe_load((REPOSITORY / "infra" / "topology.yaml").read_text())
SCHEMAS = events_of("order")


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


@pytest.mark.parametrize("refusal", refusals_of(domain, streams))
def test_every_refusal_has_its_page(refusal: type[errors.Refusal]) -> None:
    assert without_page(refusal) == []
