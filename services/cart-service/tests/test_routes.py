from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from common.auth import Role
from common.db import Database
from common.etags import MalformedEtag
from common.problems import problem_type
from common.testing import bearer
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

MUG = {"sku": "MUG-1", "quantity": 2}
JAR = {"sku": "JAR-1", "quantity": 1}
SQL = "'; DROP TABLE carts; --"
WRITES = [
    ("PUT", "/cart", {"lines": [JAR]}),
    ("PUT", "/cart/lines/JAR-1", {"quantity": 1}),
    ("PATCH", "/cart/lines/MUG-1", {"add": 1}),
    ("DELETE", "/cart/lines/MUG-1", None),
    ("DELETE", "/cart", None),
]


def problem(response: TestResponse) -> tuple[int, str]:
    assert response.content_type == "application/problem+json"
    body = response.get_json()
    assert body["status"] == response.status_code
    return response.status_code, body["type"]


def pointers(response: TestResponse) -> list[str]:
    assert problem(response) == (400, "/problems/malformed")
    return [fault["pointer"] for fault in response.get_json()["errors"]]


def fill(client: FlaskClient, who: dict[str, str], *lines: dict[str, Any]) -> TestResponse:
    return client.put("/cart", json={"lines": lines}, headers=who)


def lines_of(client: FlaskClient, who: dict[str, str]) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = client.get("/cart", headers=who).get_json()["lines"]
    return lines


def test_a_cart_begins_empty_at_version_0(client: FlaskClient, ana: dict[str, str]) -> None:
    response = client.get("/cart", headers=ana)

    assert response.status_code == 200
    assert response.json == {"customer_id": "ana", "lines": [], "version": 0}
    assert response.headers["ETag"] == '"0"'
    assert response.headers["Cache-Control"] == "no-store"


def test_a_cart_is_replaced_as_a_whole(client: FlaskClient, ana: dict[str, str]) -> None:
    fill(client, ana, MUG)

    response = fill(client, ana, JAR, MUG | {"quantity": 100})

    assert response.status_code == 200
    assert response.json == {
        "customer_id": "ana",
        "lines": [JAR, MUG | {"quantity": 100}],
        "version": 2,
    }
    assert client.get("/cart", headers=ana).json == response.json
    assert response.headers["ETag"] == '"2"'


def test_lines_are_put_and_taken_out_one_by_one(client: FlaskClient, ana: dict[str, str]) -> None:
    client.put("/cart/lines/MUG-1", json={"quantity": 2}, headers=ana)
    client.put("/cart/lines/JAR-1", json={"quantity": 1}, headers=ana)
    client.put("/cart/lines/MUG-1", json={"quantity": 7}, headers=ana)

    removed = client.delete("/cart/lines/JAR-1", headers=ana)
    once_more = client.delete("/cart/lines/JAR-1", headers=ana)

    assert removed.status_code == once_more.status_code == 200
    assert removed.json == once_more.json
    assert removed.get_json()["lines"] == [{"sku": "MUG-1", "quantity": 7}]


def test_emptying_counts_on(client: FlaskClient, ana: dict[str, str]) -> None:
    fill(client, ana, MUG)

    response = client.delete("/cart", headers=ana)

    assert response.json == {"customer_id": "ana", "lines": [], "version": 2}


def test_guest_and_customer_each_see_their_own(client: FlaskClient, ana: dict[str, str]) -> None:
    guest = bearer(Role.GUEST, "guest-1")
    fill(client, ana, MUG)
    fill(client, guest, JAR)

    assert lines_of(client, ana) == [MUG]
    assert lines_of(client, guest) == [JAR]


@pytest.mark.parametrize(("method", "path", "body"), [("GET", "/cart", None), *WRITES])
def test_only_shoppers_have_carts(
    client: FlaskClient, method: str, path: str, body: dict[str, Any] | None
) -> None:
    stranger = client.open(path, method=method, json=body)
    staff = client.open(path, method=method, json=body, headers=bearer(Role.STAFF, "sam"))
    service = client.open(path, method=method, json=body, headers=bearer(Role.SERVICE, "order"))

    assert problem(stranger) == (401, "/problems/invalid-token")
    assert problem(staff) == problem(service) == (403, "/problems/not-allowed")


class TestIfMatch:
    @pytest.mark.parametrize(("method", "path", "body"), WRITES)
    @pytest.mark.parametrize("tag", ['"0"', '"9"', '"999999999999999999"'])
    def test_a_write_meant_for_another_version_is_refused(
        self,
        client: FlaskClient,
        ana: dict[str, str],
        method: str,
        path: str,
        body: dict[str, Any] | None,
        tag: str,
    ) -> None:
        fill(client, ana, MUG)

        response = client.open(path, method=method, json=body, headers=ana | {"If-Match": tag})

        assert problem(response) == (412, "/problems/version-mismatch")
        assert response.get_json()["actual_version"] == 1
        assert lines_of(client, ana) == [MUG]

    @pytest.mark.parametrize(("method", "path", "body"), WRITES)
    @pytest.mark.parametrize("tag", ['W/"1"', '"' + "9" * 5000 + '"', '"x"', "''", '"7", "1"'])
    def test_what_we_never_gave_as_a_tag_is_malformed(
        self,
        client: FlaskClient,
        ana: dict[str, str],
        method: str,
        path: str,
        body: dict[str, Any] | None,
        tag: str,
    ) -> None:
        fill(client, ana, MUG)

        response = client.open(path, method=method, json=body, headers=ana | {"If-Match": tag})

        assert problem(response) == (400, problem_type(MalformedEtag))
        assert lines_of(client, ana) == [MUG]

    @pytest.mark.parametrize(("method", "path", "body"), WRITES)
    @pytest.mark.parametrize("tag", ['"1"', "*"])
    def test_a_write_meant_for_this_version_is_done(
        self,
        client: FlaskClient,
        ana: dict[str, str],
        method: str,
        path: str,
        body: dict[str, Any] | None,
        tag: str,
    ) -> None:
        fill(client, ana, MUG)

        response = client.open(path, method=method, json=body, headers=ana | {"If-Match": tag})

        assert response.status_code == 200
        assert response.get_json()["version"] == 2
        assert response.headers["ETag"] == '"2"'

    def test_version_0_means_that_there_is_none_yet(
        self, client: FlaskClient, ana: dict[str, str]
    ) -> None:
        none_yet = ana | {"If-Match": '"0"'}

        first = fill(client, none_yet, MUG)
        second = fill(client, none_yet, JAR)

        assert first.get_json()["version"] == 1
        assert problem(second) == (412, "/problems/version-mismatch")


class TestHostileInput:
    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({}, "/lines"),
            ({"lines": None}, "/lines"),
            ({"lines": "MUG-1"}, "/lines"),
            ({"lines": [MUG, MUG]}, "/lines"),
            ({"lines": [{"sku": f"S-{n}", "quantity": 1} for n in range(201)]}, "/lines"),
            ({"lines": [MUG, {"sku": "JAR-1"}]}, "/lines/1/quantity"),
            ({"lines": [MUG | {"quantity": 0}]}, "/lines/0/quantity"),
            ({"lines": [MUG | {"quantity": 101}]}, "/lines/0/quantity"),
            ({"lines": [MUG | {"quantity": -1}]}, "/lines/0/quantity"),
            ({"lines": [MUG | {"quantity": 1.5}]}, "/lines/0/quantity"),
            ({"lines": [MUG | {"quantity": "2"}]}, "/lines/0/quantity"),
            ({"lines": [MUG | {"quantity": True}]}, "/lines/0/quantity"),
            ({"lines": [MUG | {"quantity": 10**40}]}, "/lines/0/quantity"),
            ({"lines": [MUG | {"sku": SQL}]}, "/lines/0/sku"),
            ({"lines": [MUG | {"sku": ""}]}, "/lines/0/sku"),
            ({"lines": [MUG | {"sku": "x" * 65}]}, "/lines/0/sku"),
            ({"lines": [MUG | {"sku": "MUG-1\n"}]}, "/lines/0/sku"),
            ({"lines": [MUG | {"sku": "кружка"}]}, "/lines/0/sku"),
            ({"lines": [MUG | {"price_minor": 1}]}, "/lines/0/price_minor"),
            ({"lines": [], "customer_id": "bob"}, "/customer_id"),
        ],
        ids=lambda value: str(value)[:60],
    )
    def test_a_malformed_cart_is_named_and_changes_nothing(
        self, client: FlaskClient, ana: dict[str, str], body: dict[str, Any], pointer: str
    ) -> None:
        response = client.put("/cart", json=body, headers=ana)

        assert pointers(response) == [pointer]
        assert client.get("/cart", headers=ana).get_json()["version"] == 0

    @pytest.mark.parametrize(
        ("body", "type_"),
        [
            (b"", "malformed-json"),
            (b"{", "malformed-json"),
            (b"[]", "malformed"),
            (b"null", "malformed"),
            (b"\xff\xfe", "malformed-json"),
            (b'{"lines": []} x', "malformed-json"),
            (b'{"lines": [], "lines": []}', "malformed-json"),
            (b'{"lines": [{"sku": "A", "quantity": NaN}]}', "malformed-json"),
            (b'{"lines": [{"sku": "a\\u0000", "quantity": 1}]}', "malformed-json"),
            (b'{"lines": [{"sku": "a\\ud800", "quantity": 1}]}', "malformed-json"),
            (b'{"lines":' + b"[" * 100 + b"]" * 100 + b"}", "malformed-json"),
        ],
        ids=lambda value: str(value)[:30],
    )
    def test_what_is_no_json_of_ours_is_malformed(
        self, client: FlaskClient, ana: dict[str, str], body: bytes, type_: str
    ) -> None:
        response = client.put("/cart", data=body, headers=ana, content_type="application/json")

        assert problem(response) == (400, f"/problems/{type_}")
        assert lines_of(client, ana) == []

    def test_another_kind_of_body_is_not_taken(
        self, client: FlaskClient, ana: dict[str, str]
    ) -> None:
        response = client.put("/cart", data=b'{"lines": []}', headers=ana)

        assert problem(response) == (415, "/problems/json-expected")

    def test_a_body_longer_than_any_cart_is_not_read(
        self, client: FlaskClient, ana: dict[str, str]
    ) -> None:
        body = b'{"lines": []' + b" " * 65_536 + b"}"

        response = client.put("/cart", data=body, headers=ana, content_type="application/json")

        assert problem(response) == (413, "about:blank")

    @pytest.mark.parametrize("sku", ["a%20b", "%00", "x" * 65, "%C3%A9", "%27--"])
    def test_what_cannot_be_a_sku_is_malformed(
        self, client: FlaskClient, ana: dict[str, str], sku: str
    ) -> None:
        put = client.put(f"/cart/lines/{sku}", json={"quantity": 1}, headers=ana)
        added = client.patch(f"/cart/lines/{sku}", json={"add": 1}, headers=ana)
        removed = client.delete(f"/cart/lines/{sku}", headers=ana)

        assert pointers(put) == pointers(added) == pointers(removed) == ["/sku"]

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [({}, "/quantity"), ({"quantity": 0}, "/quantity"), ({"quantity": 1, "sku": "A"}, "/sku")],
        ids=str,
    )
    def test_a_malformed_line_is_named(
        self, client: FlaskClient, ana: dict[str, str], body: dict[str, Any], pointer: str
    ) -> None:
        assert pointers(client.put("/cart/lines/MUG-1", json=body, headers=ana)) == [pointer]

    def test_one_product_too_many_is_refused(
        self, client: FlaskClient, ana: dict[str, str]
    ) -> None:
        fill(client, ana, *({"sku": f"S-{n}", "quantity": 1} for n in range(200)))

        response = client.put("/cart/lines/NEW-1", json={"quantity": 1}, headers=ana)

        assert problem(response) == (422, "/problems/cart-full")
        assert response.get_json()["lines_max"] == 200

    def test_a_subject_of_any_script_has_a_cart(self, client: FlaskClient) -> None:
        who = bearer(Role.CUSTOMER, "Ана 🫖 " + SQL)

        fill(client, who, MUG)

        assert lines_of(client, who) == [MUG]


def test_a_locked_cart_is_to_be_tried_again(
    client: FlaskClient, db: Database, ana: dict[str, str]
) -> None:
    fill(client, ana, MUG)

    with db.transaction() as tx:
        tx.execute(text("SELECT FROM carts FOR UPDATE"))
        response = client.delete("/cart", headers=ana)

    assert problem(response) == (503, "/problems/unavailable")
    assert response.headers["Retry-After"]
    assert lines_of(client, ana) == [MUG]


class TestAdding:
    def test_more_and_fewer_until_none_is_left(
        self, client: FlaskClient, ana: dict[str, str]
    ) -> None:
        def add(quantity: int) -> list[dict[str, Any]]:
            response = client.patch("/cart/lines/MUG-1", json={"add": quantity}, headers=ana)
            lines: list[dict[str, Any]] = response.get_json()["lines"]
            return lines

        assert add(2) == [MUG]
        assert add(5) == [MUG | {"quantity": 7}]
        assert add(-7) == []
        assert add(-1) == []

    def test_more_than_an_order_may_have_is_refused(
        self, client: FlaskClient, ana: dict[str, str]
    ) -> None:
        fill(client, ana, MUG)

        response = client.patch("/cart/lines/MUG-1", json={"add": 99}, headers=ana)

        assert problem(response) == (422, "/problems/quantity-too-large")
        assert response.get_json()["quantity_max"] == 100
        assert lines_of(client, ana) == [MUG]

    @pytest.mark.parametrize(
        "body", [{}, {"add": 0}, {"add": 101}, {"add": -101}, {"add": "1"}, {"add": True}], ids=str
    )
    def test_what_cannot_be_added_is_malformed(
        self, client: FlaskClient, ana: dict[str, str], body: dict[str, Any]
    ) -> None:
        assert pointers(client.patch("/cart/lines/MUG-1", json=body, headers=ana)) == ["/add"]

    def test_with_a_key_it_is_added_once(self, client: FlaskClient, ana: dict[str, str]) -> None:
        def add(key: str, quantity: int = 2) -> TestResponse:
            headers = ana | {"Idempotency-Key": key}
            return client.patch("/cart/lines/MUG-1", json={"add": quantity}, headers=headers)

        first, again, another = add("k-1"), add("k-1"), add("k-2")

        assert (again.json, again.headers["ETag"]) == (first.json, '"1"')
        assert another.get_json()["lines"] == [MUG | {"quantity": 4}]
        assert problem(add("k-1", 3)) == (422, "/problems/idempotency-key-reused")
        assert problem(add("", 3)) == (400, "/problems/idempotency-key-missing")

    def test_a_key_of_somebody_else_is_another_key(
        self, client: FlaskClient, ana: dict[str, str], guest: dict[str, str]
    ) -> None:
        for who in (ana, guest):
            headers = who | {"Idempotency-Key": "k-1"}
            client.patch("/cart/lines/MUG-1", json={"add": 2}, headers=headers)

        assert lines_of(client, ana) == lines_of(client, guest) == [MUG]

    def test_fifty_at_the_same_time_are_all_kept(self, app: Flask, client: FlaskClient) -> None:
        """As many threads as a web process has; whoever is refused has added nothing."""
        headers = bearer(Role.CUSTOMER, "ana")

        def add(_: int) -> int:
            response = app.test_client().patch(
                "/cart/lines/MUG-1", json={"add": 1}, headers=headers
            )
            return response.status_code

        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(add, range(50)))

        assert set(answers) <= {200, 503}
        added = answers.count(200)
        assert lines_of(client, headers) == [{"sku": "MUG-1", "quantity": added}]
        assert added >= 40, "hardly anybody has to come again"


class TestWithoutRedis:
    def test_every_answer_is_the_same(
        self, client: FlaskClient, without_redis: FlaskClient
    ) -> None:
        def walk(through: FlaskClient, who: dict[str, str]) -> list[tuple[int, str | None]]:
            answers = [
                fill(through, who, MUG, JAR),
                through.get("/cart", headers=who),
                through.patch("/cart/lines/MUG-1", json={"add": 1}, headers=who),
                through.put("/cart/lines/JAR-1", json={"quantity": 5}, headers=who),
                through.delete("/cart/lines/MUG-1", headers=who),
                through.get("/cart/quote", headers=who),
                through.get("/cart", headers=who),
                through.delete("/cart", headers=who | {"If-Match": '"1"'}),
                through.delete("/cart", headers=who),
                through.get("/cart", headers=who),
            ]
            return [
                (answer.status_code, answer.get_data(as_text=True).replace(" ", ""))
                for answer in answers
            ]

        with_it = walk(client, bearer(Role.CUSTOMER, "bob"))
        without = walk(without_redis, bearer(Role.CUSTOMER, "ana"))

        assert [(code, (text or "").replace("bob", "ana")) for code, text in with_it] == without

    def test_it_is_ready(self, without_redis: FlaskClient) -> None:
        assert without_redis.get("/readyz").status_code == 200


class TestCopies:
    def test_a_cart_that_was_read_is_read_without_the_database(
        self, client: FlaskClient, db: Database, ana: dict[str, str]
    ) -> None:
        fill(client, ana, MUG)
        with db.transaction() as tx:
            tx.execute(text("UPDATE carts SET version = 77"))

        assert client.get("/cart", headers=ana).get_json()["version"] == 1

    def test_a_refused_write_leaves_no_stale_copy(
        self, client: FlaskClient, ana: dict[str, str]
    ) -> None:
        fill(client, ana, MUG)
        client.delete("/cart", headers=ana | {"If-Match": '"9"'})

        assert lines_of(client, ana) == [MUG]

    @pytest.mark.usefixtures("client")
    def test_readers_never_see_a_cart_older_than_one_that_was_answered(
        self, app: Flask, ana: dict[str, str]
    ) -> None:
        """Writers and readers at once; each reader notes what was answered before it asked."""
        answered = [0]
        behind: list[tuple[int, int]] = []

        def write(_: int) -> None:
            response = app.test_client().patch("/cart/lines/MUG-1", json={"add": 1}, headers=ana)
            if response.status_code == 200:
                answered.append(response.get_json()["version"])

        def read(_: int) -> None:
            known = max(answered)
            response = app.test_client().get("/cart", headers=ana)
            if response.status_code == 200 and response.get_json()["version"] < known:
                behind.append((response.get_json()["version"], known))

        with ThreadPoolExecutor(8) as threads:
            for number in range(90):
                threads.submit(write, number)
                threads.submit(read, number)
                threads.submit(read, number)

        assert behind == []
        assert len(answered) > 50
