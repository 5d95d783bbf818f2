from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from common import paging
from common.auth import Role
from common.db import Database
from common.testing import bearer, published
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from werkzeug.test import TestResponse

MUG: dict[str, Any] = {
    "name": "Blue mug", "department": "KITCHEN", "category": "CUPS", "price_minor": 950,
}  # fmt: skip
UNSAID = {
    "currency": "USD", "product_type": None, "brand": None, "size": None, "product_group_id": None,
}  # fmt: skip
NOTHING: dict[str, Any] = {"items": [], "next_cursor": None, "corrected_q": None, "facets": None}
SQL = "'; DROP TABLE products; --"


def problem(response: TestResponse) -> tuple[int, str]:
    assert response.content_type == "application/problem+json"
    assert response.json is not None
    assert response.json["status"] == response.status_code
    return response.status_code, response.json["type"]


def pointers(response: TestResponse) -> list[str]:
    assert problem(response) == (400, "/problems/malformed")
    assert response.json is not None
    return [fault["pointer"] for fault in response.json["errors"]]


def put(
    client: FlaskClient, staff: dict[str, str], sku: str, version: int = 0, /, **changes: object
) -> TestResponse:
    """version: of what is to be changed; 0 for what is to be created."""
    headers = staff | ({"If-Match": f'"{version}"'} if version else {})
    return client.put(f"/products/{sku}", json=MUG | changes, headers=headers)


@pytest.fixture
def five_products(client: FlaskClient, staff: dict[str, str]) -> None:
    products = [MUG | {"sku": f"MUG-{n}", "price_minor": 100 * n} for n in range(1, 6)]
    response = client.post("/product-imports", json={"products": products}, headers=staff)
    assert response.json == {"created": 5, "changed": 0, "unchanged": 0}


class TestPutProduct:
    def test_a_new_product_is_created_and_told(
        self, client: FlaskClient, db: Database, staff: dict[str, str]
    ) -> None:
        response = put(client, staff, "MUG-1")

        assert response.status_code == 201
        body = response.get_json()
        assert datetime.fromisoformat(body.pop("updated_at")).utcoffset() == timedelta(0)
        assert body == MUG | UNSAID | {"sku": "MUG-1", "availability": "InStock", "version": 1}
        assert response.headers["ETag"] == '"1"'
        told = {"sku": "MUG-1", "currency": "USD", "version": 1, "discontinued": False}
        assert [(e.type, e.subject, e.data) for e in published(db)] == [
            ("product.created", "MUG-1", MUG | told)
        ]

    def test_a_change_is_told_and_the_same_again_is_not(
        self, client: FlaskClient, db: Database, staff: dict[str, str]
    ) -> None:
        put(client, staff, "MUG-1")

        changed = put(client, staff, "MUG-1", 1, price_minor=990)
        again = put(client, staff, "MUG-1", 1, price_minor=990)

        assert (changed.status_code, again.status_code) == (200, 200)
        assert changed.json == again.json
        assert changed.headers["ETag"] == again.headers["ETag"] == '"2"'
        assert [(e.type, e.data["version"]) for e in published(db)] == [
            ("product.created", 1),
            ("product.changed", 2),
        ]

    def test_names_may_be_in_any_script_and_mean_nothing_to_sql(
        self, client: FlaskClient, staff: dict[str, str]
    ) -> None:
        name = "  Кружка 🫖 'синяя' \"L\" " + SQL

        response = put(client, staff, "MUG-1", name=name)

        assert response.status_code == 201
        assert client.get("/products/MUG-1").json == response.json
        assert response.json is not None
        assert response.json["name"] == name.strip()

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"name": ""}, "/name"),
            ({"name": "   "}, "/name"),
            ({"name": "x" * 201}, "/name"),
            ({"name": "a\x1fb"}, "/name"),
            ({"name": 7}, "/name"),
            ({"category": None}, "/category"),
            ({"department": ["a"]}, "/department"),
            ({"price_minor": 0}, "/price_minor"),
            ({"price_minor": -1}, "/price_minor"),
            ({"price_minor": 9.5}, "/price_minor"),
            ({"price_minor": "950"}, "/price_minor"),
            ({"price_minor": True}, "/price_minor"),
            ({"price_minor": 10**30}, "/price_minor"),
            ({"currency": "EUR"}, "/currency"),
            ({"version": 7}, "/version"),
            ({"sku": "MUG-2"}, "/sku"),
        ],
        ids=str,
    )
    def test_a_malformed_member_is_named(
        self,
        client: FlaskClient,
        db: Database,
        staff: dict[str, str],
        change: dict[str, object],
        pointer: str,
    ) -> None:
        assert pointers(put(client, staff, "MUG-1", **change)) == [pointer]
        assert published(db) == []

    @pytest.mark.parametrize("body", ["", "{", "{} {}", '{"name": "\ud800"}', '{"a": NaN}'])
    def test_what_is_no_json_is_malformed(
        self, client: FlaskClient, staff: dict[str, str], body: str
    ) -> None:
        raw = body.encode("utf-8", "surrogatepass")
        headers = staff | {"Content-Type": "application/json"}

        refused = client.put("/products/MUG-1", data=raw, headers=headers)

        assert problem(refused) == (400, "/problems/malformed-json")

    @pytest.mark.parametrize("body", ["[]", "null", '"x"', "7"])
    def test_what_is_no_json_object_is_malformed(
        self, client: FlaskClient, staff: dict[str, str], body: str
    ) -> None:
        headers = staff | {"Content-Type": "application/json"}

        assert pointers(client.put("/products/MUG-1", data=body, headers=headers))

    def test_another_form_than_json_is_not_taken(
        self, client: FlaskClient, staff: dict[str, str]
    ) -> None:
        refused = client.put("/products/MUG-1", data="name=mug", headers=staff)

        assert problem(refused) == (415, "/problems/json-expected")

    @pytest.mark.parametrize("sku", ["a%20b", "%00", "-x", "x" * 65, "%C3%A9", "a%27--"])
    def test_what_cannot_be_a_sku_is_malformed(
        self, client: FlaskClient, staff: dict[str, str], sku: str
    ) -> None:
        assert pointers(put(client, staff, sku)) == ["/sku"]

    def test_only_staff_may(self, client: FlaskClient) -> None:
        assert problem(put(client, {}, "MUG-1")) == (401, "/problems/invalid-token")
        for role in (Role.GUEST, Role.CUSTOMER, Role.SERVICE):
            refused = put(client, bearer(role, "ana"), "MUG-1")
            assert problem(refused) == (403, "/problems/not-allowed")
        assert client.get("/products/MUG-1").status_code == 404


class TestPreconditions:
    """RFC 9110 §13: nobody overwrites what they have not read."""

    @pytest.fixture(autouse=True)
    def _mug(self, client: FlaskClient, staff: dict[str, str]) -> None:
        assert put(client, staff, "MUG-1").status_code == 201

    def test_a_change_without_an_etag_is_asked_for_one(
        self, client: FlaskClient, db: Database, staff: dict[str, str]
    ) -> None:
        refused = put(client, staff, "MUG-1", price_minor=1)

        assert problem(refused) == (428, "/problems/if-match-required")
        assert len(published(db)) == 1

    def test_a_change_of_what_somebody_else_changed_is_refused_with_its_version(
        self, client: FlaskClient, staff: dict[str, str]
    ) -> None:
        put(client, staff, "MUG-1", 1, price_minor=990)

        refused = put(client, staff, "MUG-1", 1, price_minor=1)

        assert problem(refused) == (412, "/problems/version-mismatch")
        assert client.get("/products/MUG-1").get_json()["price_minor"] == 990

    @pytest.mark.parametrize("header", ["7", 'W/"1"', '"x"', '"1", "2"', '""'])
    def test_a_malformed_etag_is_refused(
        self, client: FlaskClient, staff: dict[str, str], header: str
    ) -> None:
        headers = staff | {"If-Match": header}

        refused = client.put("/products/MUG-1", json=MUG, headers=headers)

        assert problem(refused) == (400, "/problems/malformed-etag")

    def test_what_must_be_new_is_not_overwritten(
        self, client: FlaskClient, staff: dict[str, str]
    ) -> None:
        headers = staff | {"If-None-Match": "*"}

        there = client.put("/products/MUG-1", json=MUG, headers=headers)
        new = client.put("/products/MUG-2", json=MUG, headers=headers)

        assert problem(there) == (412, "/problems/product-exists")
        assert new.status_code == 201

    def test_what_is_not_there_has_no_version(
        self, client: FlaskClient, staff: dict[str, str]
    ) -> None:
        assert problem(put(client, staff, "NO-1", 1)) == (412, "/problems/version-mismatch")
        assert client.get("/products/NO-1").status_code == 404

    def test_of_twenty_changes_at_once_one_is_made(
        self, app: Flask, db: Database, staff: dict[str, str]
    ) -> None:
        def change(price_minor: int) -> int:
            client = app.test_client()
            return put(client, staff, "MUG-1", 1, price_minor=price_minor).status_code

        with ThreadPoolExecutor(8) as pool:
            answers = Counter(pool.map(change, range(1, 21)))

        assert answers == {200: 1, 412: 19}
        assert [event.data["version"] for event in published(db)] == [1, 2]


class TestWithdrawProduct:
    def test_what_is_withdrawn_is_found_by_nobody_and_told(
        self, client: FlaskClient, db: Database, staff: dict[str, str]
    ) -> None:
        put(client, staff, "MUG-1")

        answers = [client.delete("/products/MUG-1", headers=staff) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [204, 204]
        assert client.get("/products").get_json()["items"] == []
        assert client.post("/quotes", json={"skus": ["MUG-1"]}).get_json()["unknown"] == ["MUG-1"]
        assert [e.data["discontinued"] for e in published(db)] == [False, True]

    def test_it_is_still_read_by_its_number_as_discontinued(
        self, client: FlaskClient, staff: dict[str, str]
    ) -> None:
        put(client, staff, "MUG-1")
        client.delete("/products/MUG-1", headers=staff)

        shown = client.get("/products/MUG-1")

        assert shown.status_code == 200
        assert shown.get_json()["availability"] == "Discontinued"

    def test_sold_again_it_is_found_again(self, client: FlaskClient, staff: dict[str, str]) -> None:
        put(client, staff, "MUG-1")
        client.delete("/products/MUG-1", headers=staff)

        again = put(client, staff, "MUG-1", 2)

        assert again.get_json()["availability"] == "InStock"
        assert len(client.get("/products").get_json()["items"]) == 1

    def test_only_staff_may_and_only_what_is_there(
        self, client: FlaskClient, staff: dict[str, str]
    ) -> None:
        customer = client.delete("/products/MUG-1", headers=bearer(Role.CUSTOMER, "ana"))
        unknown = client.delete("/products/MUG-1", headers=staff)

        assert problem(customer) == (403, "/problems/not-allowed")
        assert problem(unknown) == (404, "/problems/product-not-found")


class TestReadProduct:
    def test_an_unknown_product_is_not_found(self, client: FlaskClient) -> None:
        response = client.get("/products/NO-1")

        assert problem(response) == (404, "/problems/product-not-found")
        assert response.json is not None
        assert response.json["sku"] == "NO-1"

    @pytest.mark.parametrize("sku", ["a%20b", "%00", "x" * 65, "%27%20OR%20true", "%F0%9F%AB%96"])
    def test_what_cannot_be_a_sku_is_not_found(self, client: FlaskClient, sku: str) -> None:
        assert problem(client.get(f"/products/{sku}")) == (404, "/problems/product-not-found")


@pytest.mark.usefixtures("five_products")
class TestSearchProducts:
    def test_pages_join_without_gap_or_overlap(self, client: FlaskClient) -> None:
        pages = [client.get("/products?limit=2").get_json()]
        for _ in range(2):
            query = {"limit": 2, "cursor": pages[-1]["next_cursor"]}
            pages.append(client.get("/products", query_string=query).get_json())

        seen = [[item["sku"] for item in page["items"]] for page in pages]
        assert seen == [["MUG-1", "MUG-2"], ["MUG-3", "MUG-4"], ["MUG-5"]]
        assert pages[-1]["next_cursor"] is None

    def test_a_full_last_page_has_no_successor(self, client: FlaskClient) -> None:
        page = client.get("/products?limit=5").json

        assert page is not None
        assert len(page["items"]) == 5
        assert page["next_cursor"] is None

    def test_words_and_department_narrow_the_list(
        self, client: FlaskClient, staff: dict[str, str]
    ) -> None:
        put(client, staff, "TENT-1", name="Tent", department="OUT & ABOUT")

        by_word = client.get("/products?q=TENT").json
        by_department = client.get("/products", query_string={"department": "OUT & ABOUT"}).json
        by_neither = client.get("/products", query_string={"q": SQL}).json

        assert by_word == by_department
        assert by_word is not None
        assert [item["sku"] for item in by_word["items"]] == ["TENT-1"]
        assert by_neither == NOTHING

    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            ("limit=0", "/limit"),
            ("limit=101", "/limit"),
            ("limit=99999999999999999999999", "/limit"),
            ("limit=ten", "/limit"),
            ("limit=-1", "/limit"),
            ("limit=5.0", "/limit"),
            ("limit=%2B5", "/limit"),
            ("limit=%205", "/limit"),
            ("limit=5_0", "/limit"),
            ("limit=%D9%A5", "/limit"),
            ("price_from_minor=1_0", "/price_from_minor"),
            ("cursor=" + "A" * 1025, "/cursor"),
            ("sort=cheapest", "/sort"),
            ("facets=yes", "/facets"),
            ("price_from_minor=-1", "/price_from_minor"),
            ("availability=Gone", "/availability"),
            ("q=" + "x" * 101, "/q"),
            ("q=a+b+c+d+e+f+g+h+i", "/q"),
            ("q=%00", "/q"),
            ("department=%00", "/department"),
            ("department=" + "x" * 201, "/department"),
            ("page=2", "/page"),
        ],
    )
    def test_a_malformed_query_is_named(
        self, client: FlaskClient, query: str, pointer: str
    ) -> None:
        assert pointers(client.get(f"/products?{query}")) == [pointer]

    @pytest.mark.parametrize("cursor", ["!!!", "Jw", "", "A" * 100])
    def test_a_cursor_that_is_none_of_ours_is_refused(
        self, client: FlaskClient, cursor: str
    ) -> None:
        refused = client.get("/products", query_string={"cursor": cursor})

        assert problem(refused) == (400, "/problems/malformed-cursor")

    def test_a_cursor_of_another_order_is_refused(self, client: FlaskClient) -> None:
        cursor = client.get("/products?limit=2&sort=name").get_json()["next_cursor"]

        refused = client.get("/products", query_string={"cursor": cursor, "sort": "newest"})

        assert problem(refused) == (400, "/problems/malformed-cursor")

    def test_a_parameter_given_twice_is_refused(self, client: FlaskClient) -> None:
        assert problem(client.get("/products?q=a&q=b")) == (400, "/problems/malformed")

    @pytest.mark.parametrize("microseconds", [2**63 - 1, -(2**63)])
    def test_a_cursor_at_a_time_that_is_none_is_refused(
        self, client: FlaskClient, microseconds: int
    ) -> None:
        cursor = paging.encode("newest", "", microseconds, "MUG-1")

        refused = client.get(f"/products?sort=newest&cursor={cursor}")

        assert problem(refused) == (400, "/problems/malformed-cursor")

    def test_a_cursor_whose_correction_is_no_text_of_ours_is_refused(
        self, client: FlaskClient
    ) -> None:
        cursor = paging.encode("newest", "x" * 600, 1, "MUG-1")

        assert client.get(f"/products?sort=newest&cursor={cursor}").status_code == 400

    @pytest.mark.parametrize("q", ["\ufdfa" * 15, "\ufdfb" * 32, "mug " + "\ufdfa" * 15])
    def test_letters_that_become_many_are_searched_for_and_not_found(
        self, client: FlaskClient, q: str
    ) -> None:
        """U+FDFA is eighteen letters once it is folded, and levenshtein() takes 255."""
        found = client.get("/products", query_string={"q": q})

        assert (found.status_code, found.get_json()["items"]) == (200, [])

    def test_a_misspelt_word_finds_what_was_meant_and_says_so(self, client: FlaskClient) -> None:
        found = client.get("/products?q=bleu mug").get_json()

        assert found["corrected_q"] == "blue mug"
        assert len(found["items"]) == 5

    def test_facets_come_when_asked_for(self, client: FlaskClient) -> None:
        facets = client.get("/products?facets=true&department=KITCHEN").get_json()["facets"]

        assert facets["total"] == 5
        assert facets["departments"] == [{"name": "KITCHEN", "products": 5}]
        assert facets["price_bands"] == [
            {"from_minor": 0, "to_minor": 199, "products": 1},
            {"from_minor": 200, "to_minor": 499, "products": 3},
            {"from_minor": 500, "to_minor": 999, "products": 1},
        ]

    def test_categories_are_a_tree_of_counts(self, client: FlaskClient) -> None:
        tree = client.get("/categories").get_json()["departments"]

        cups = {"name": "CUPS", "products": 5, "product_types": []}
        assert tree == [{"name": "KITCHEN", "products": 5, "categories": [cups]}]

    def test_departments_are_counted(self, client: FlaskClient) -> None:
        assert client.get("/departments").json == [{"name": "KITCHEN", "products": 5}]


@pytest.mark.usefixtures("five_products")
class TestQuotePrices:
    def test_prices_come_in_the_order_asked_without_a_token(self, client: FlaskClient) -> None:
        response = client.post("/quotes", json={"skus": ["MUG-2", "NO-1", "MUG-1"]})

        assert response.status_code == 200
        assert response.json == {
            "currency": "USD",
            "prices": [
                {"sku": "MUG-2", "name": "Blue mug", "unit_price_minor": 200},
                {"sku": "MUG-1", "name": "Blue mug", "unit_price_minor": 100},
            ],
            "unknown": ["NO-1"],
        }

    def test_as_many_as_an_order_has_lines_cost_one_statement(
        self, client: FlaskClient, statements: list[str]
    ) -> None:
        skus = [f"MUG-{n}" for n in range(200)]

        response = client.post("/quotes", json={"skus": skus})

        assert response.json is not None
        assert len(response.json["prices"]) == 5
        assert len(response.json["unknown"]) == 195
        assert len(statements) == 1

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({}, "/skus"),
            ({"skus": []}, "/skus"),
            ({"skus": "MUG-1"}, "/skus"),
            ({"skus": ["MUG-1", "MUG-1"]}, "/skus"),
            ({"skus": [f"MUG-{n}" for n in range(201)]}, "/skus"),
            ({"skus": ["MUG-1", 2]}, "/skus/1"),
            ({"skus": [SQL]}, "/skus/0"),
            ({"skus": ["\x1f"]}, "/skus/0"),
            ({"skus": ["MUG-1"], "currency": "EUR"}, "/currency"),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_a_malformed_body_is_named(
        self, client: FlaskClient, body: dict[str, object], pointer: str
    ) -> None:
        assert pointers(client.post("/quotes", json=body)) == [pointer]


@pytest.fixture
def statements(app: Flask, five_products: None) -> Any:
    """What the database was asked from here on."""
    from sqlalchemy.engine import Engine

    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)
