"""POST /cart/merge: who may, what comes over, and that nothing is lost without a word."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from common import auth
from common.auth import Caller, Role
from common.testing import JWT_SECRET, bearer, token
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

MUG, JAR = {"sku": "MUG-1", "quantity": 2}, {"sku": "JAR-1", "quantity": 1}


def fill(client: FlaskClient, who: dict[str, str], *lines: dict[str, Any]) -> None:
    assert client.put("/cart", json={"lines": lines}, headers=who).status_code == 200


def lines_of(client: FlaskClient, who: dict[str, str]) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = client.get("/cart", headers=who).get_json()["lines"]
    return lines


def merge(client: FlaskClient, who: dict[str, str], guest_token: str | None = None) -> TestResponse:
    body = {"guest_token": guest_token or token(Role.GUEST, "guest-1")}
    return client.post("/cart/merge", json=body, headers=who)


def type_of(response: TestResponse) -> tuple[int, str]:
    return response.status_code, response.get_json()["type"]


def test_what_the_guest_had_is_the_customer_s(
    client: FlaskClient, ana: dict[str, str], guest: dict[str, str]
) -> None:
    fill(client, ana, MUG)
    fill(client, guest, JAR, MUG)

    response = merge(client, ana)

    assert response.status_code == 200
    assert response.headers["ETag"] == '"2"'
    assert response.json == {
        "cart": {
            "customer_id": "ana",
            "lines": [{"sku": "MUG-1", "quantity": 4}, JAR],
            "version": 2,
        },
        "merged": [JAR, MUG],
        "left_out": [],
    }
    assert client.get("/cart", headers=ana).json == response.get_json()["cart"]
    assert lines_of(client, guest) == []


def test_what_is_over_a_limit_is_told(
    client: FlaskClient, ana: dict[str, str], guest: dict[str, str]
) -> None:
    fill(client, ana, *({"sku": f"S-{n}", "quantity": 99} for n in range(200)))
    fill(client, guest, JAR, {"sku": "S-7", "quantity": 3})

    answer = merge(client, ana).get_json()

    assert answer["merged"] == [{"sku": "S-7", "quantity": 1}]
    assert answer["left_out"] == [
        {"sku": "JAR-1", "quantity": 1, "reason": "lines_limit"},
        {"sku": "S-7", "quantity": 2, "reason": "quantity_limit"},
    ]
    assert lines_of(client, guest) == []


def test_twice_adds_nothing(
    client: FlaskClient, ana: dict[str, str], guest: dict[str, str]
) -> None:
    fill(client, guest, MUG)

    first, second = merge(client, ana), merge(client, ana)

    assert second.get_json() == {"cart": first.get_json()["cart"], "merged": [], "left_out": []}


def test_with_a_key_the_answer_that_was_lost_comes_again(
    client: FlaskClient, ana: dict[str, str], guest: dict[str, str]
) -> None:
    fill(client, ana, {"sku": "MUG-1", "quantity": 99})
    fill(client, guest, MUG)
    once = ana | {"Idempotency-Key": "k-1"}

    first, second = merge(client, once), merge(client, once)

    assert first.get_json()["left_out"]
    assert (second.json, second.headers["ETag"]) == (first.json, first.headers["ETag"])
    assert lines_of(client, ana) == [{"sku": "MUG-1", "quantity": 100}]


def test_a_key_is_for_one_guest(client: FlaskClient, ana: dict[str, str]) -> None:
    once = ana | {"Idempotency-Key": "k-1"}
    merge(client, once)

    response = merge(client, once, token(Role.GUEST, "guest-2"))

    assert type_of(response) == (422, "/problems/idempotency-key-reused")


def test_a_merge_meant_for_another_version_changes_neither_cart(
    client: FlaskClient, ana: dict[str, str], guest: dict[str, str]
) -> None:
    fill(client, ana, JAR)
    fill(client, guest, MUG)

    response = merge(client, ana | {"If-Match": '"9"'})

    assert type_of(response) == (412, "/problems/version-mismatch")
    assert (lines_of(client, ana), lines_of(client, guest)) == ([JAR], [MUG])


def test_the_prices_that_the_guest_was_shown_are_compared_with(
    client: FlaskClient, ana: dict[str, str], guest: dict[str, str], shelf: Any
) -> None:
    fill(client, guest, MUG)
    client.get("/cart/quote", headers=guest)
    shelf.prices["MUG-1"] = ("Mug", 300)

    merge(client, ana)

    mug = client.get("/cart/quote", headers=ana).get_json()["lines"][0]
    assert (mug["price_changed"], mug["previous_unit_price_minor"]) == (True, 250)


class TestWhoMayMerge:
    @pytest.mark.parametrize("role", [Role.GUEST, Role.STAFF, Role.SERVICE])
    def test_only_customers(self, client: FlaskClient, role: Role) -> None:
        assert type_of(merge(client, bearer(role, "bob"))) == (403, "/problems/not-allowed")

    def test_somebody_with_a_token(self, client: FlaskClient) -> None:
        assert type_of(merge(client, {})) == (401, "/problems/invalid-token")

    @pytest.mark.parametrize("role", [Role.CUSTOMER, Role.STAFF, Role.SERVICE])
    def test_no_cart_but_a_guest_s_can_be_taken(
        self, client: FlaskClient, ana: dict[str, str], role: Role
    ) -> None:
        bob = bearer(Role.CUSTOMER, "bob")
        fill(client, bob, MUG)

        response = merge(client, ana, token(role, "bob"))

        assert type_of(response) == (422, "/problems/guest-token-refused")
        assert lines_of(client, bob) == [MUG]

    def test_a_token_that_has_expired_opens_nothing(
        self, client: FlaskClient, ana: dict[str, str], guest: dict[str, str]
    ) -> None:
        fill(client, guest, MUG)
        an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
        expired = auth.issue(JWT_SECRET, Caller("guest-1", Role.GUEST), now=an_hour_ago)

        response = merge(client, ana, expired)

        assert type_of(response) == (422, "/problems/guest-token-refused")
        assert (lines_of(client, ana), lines_of(client, guest)) == ([], [MUG])

    @pytest.mark.parametrize(
        "forged",
        [
            auth.issue("x" * 32, Caller("guest-1", Role.GUEST)),
            token(Role.GUEST, "guest-1").rpartition(".")[0] + "." + "A" * 43,
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiJndWVzdC0xIn0.",
            "guest-1",
            "a.b.c",
        ],
        ids=["another secret", "broken signature", "none", "an id", "no token"],
    )
    def test_nor_does_one_that_was_made_up(
        self, client: FlaskClient, ana: dict[str, str], guest: dict[str, str], forged: str
    ) -> None:
        fill(client, guest, MUG)

        response = merge(client, ana, forged)

        assert type_of(response) == (422, "/problems/guest-token-refused")
        assert lines_of(client, guest) == [MUG]

    @pytest.mark.parametrize(
        "body",
        [{}, {"guest_token": ""}, {"guest_token": 7}, {"guest_token": "a b"},
         {"guest_token": "x" * 8193}, {"guest_token": "x", "guest_id": "guest-1"}],
        ids=["none", "empty", "number", "space", "long", "more"],
    )  # fmt: skip
    def test_what_cannot_be_a_token_is_malformed(
        self, client: FlaskClient, ana: dict[str, str], body: dict[str, Any]
    ) -> None:
        response = client.post("/cart/merge", json=body, headers=ana)

        assert type_of(response) == (400, "/problems/malformed")

    def test_a_token_that_was_refused_is_in_no_answer_and_no_log(
        self, client: FlaskClient, ana: dict[str, str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        made_up = "canary." + "x" * 40

        refused = merge(client, ana, made_up)
        malformed = merge(client, ana, made_up + " ")

        assert (refused.status_code, malformed.status_code) == (422, 400)
        told = refused.get_data(as_text=True) + malformed.get_data(as_text=True)
        logged = "".join(capsys.readouterr())
        assert logged.count('"event":"request"') == 2
        assert "canary" not in told + logged
