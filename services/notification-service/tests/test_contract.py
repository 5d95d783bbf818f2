"""What is promised under contract/ and by the problems' pages is what the code does."""

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from common import errors
from common.auth import Role
from common.testing import bearer
from common.testing.contracts import REPOSITORY, document_of, events_of
from common.testing.refusals import refusals_of, without_page
from flask.testing import FlaskClient
from notification.domain import messages
from notification.domain.messages import Kind, Reason, State
from notification.domain.preferences import Language
from notification.routes import bodies
from notification.store.messages import OF_ORDER_MAX
from notification.use_cases import mail_delivery
from notification.worker import HANDLERS

if TYPE_CHECKING:
    from conftest import News

CONTRACT = document_of("notification")
SCHEMAS: dict[str, Any] = CONTRACT["components"]["schemas"]
TOPOLOGY: dict[str, Any] = yaml.safe_load((REPOSITORY / "infra" / "topology.yaml").read_text())
STAFF = bearer(Role.STAFF, "staff-1")


def test_a_message_shown_has_every_member_promised_and_no_other(
    client: FlaskClient, news: "News"
) -> None:
    news.heard(news.confirmed())

    short = client.get("/messages", headers=STAFF).json
    full = client.get(f"/messages/{news.message().id}", headers=STAFF).json

    assert short
    assert full
    assert short["items"][0].keys() == SCHEMAS["Message"]["properties"].keys()
    assert full.keys() == SCHEMAS["FullMessage"]["properties"].keys()
    for name in ("Message", "FullMessage", "Suppression", "Preferences"):
        assert set(SCHEMAS[name]["required"]) == SCHEMAS[name]["properties"].keys()
        assert SCHEMAS[name]["additionalProperties"] is False


def test_the_words_promised_are_the_words_used() -> None:
    told = SCHEMAS["Message"]["properties"]
    asked = {
        each["name"]: each
        for each in CONTRACT["paths"]["/messages"]["get"]["parameters"]
        if "name" in each
    }

    assert told["kind"]["enum"] == asked["kind"]["schema"]["enum"] == list(Kind)
    assert told["state"]["enum"] == asked["state"]["schema"]["enum"] == list(State)
    assert told["reason"]["enum"] == [None, *Reason]
    assert told["language"]["enum"] == list(Language)
    assert asked["recipient"]["schema"]["maxLength"] == bodies.RECIPIENT_CHARS_MAX


def test_the_bounds_promised_are_the_bounds_kept() -> None:
    answer = CONTRACT["paths"]["/orders/{order_id}/messages"]["get"]["responses"]["200"]
    shown = answer["content"]["application/json"]["schema"]["properties"]["messages"]
    read = CONTRACT["paths"]["/messages/{id}"]["get"]["responses"]["200"]["description"]

    assert shown["maxItems"] == OF_ORDER_MAX
    assert f"{mail_delivery.BODIES_KEPT.days} days" in read


def test_the_preferences_promised_are_those_taken() -> None:
    taken = bodies.PreferencesIn.model_json_schema()
    promised = SCHEMAS["Preferences"]

    assert (
        promised["properties"]["language"]["pattern"]
        == (taken["properties"]["language"]["pattern"])
    )
    assert set(promised["properties"]) == set(taken["properties"]) == set(taken["required"])
    assert set(promised["properties"]["mails"]["properties"]) == set(
        taken["$defs"]["MailsIn"]["properties"]
    )


def test_a_mail_about_an_order_is_told_by_its_kind() -> None:
    kinds = events_of("notification")["notification.sent"]["properties"]["kind"]["enum"]

    assert set(kinds) == set(Kind) - {Kind.WELCOME}


def test_the_topology_agrees_about_who_says_what() -> None:
    heard = [e for events in TOPOLOGY["queues"]["notification-inbox"].values() for e in events]

    assert sorted(heard) == sorted(HANDLERS)
    assert sorted(TOPOLOGY["topics"]["notification-events"]) == [
        "notification.failed",
        "notification.sent",
    ]


@pytest.mark.parametrize("refusal", refusals_of(messages))
def test_every_refusal_has_its_page(refusal: type[errors.Refusal]) -> None:
    assert without_page(refusal) == []
