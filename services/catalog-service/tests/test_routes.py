from typing import Any

import pytest
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


def put(client: FlaskClient, staff: dict[str, str], sku: str, /, **changes: object) -> TestResponse:
    return client.put(f"/products/{sku}", json=MUG | changes, headers=staff)


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
        assert body.pop("updated_at").endswith("Z")
        assert body == MUG | {
            "sku": "MUG-1", "currency": "USD", "availability": "InStock", "version": 1,
        }  # fmt: skip
        assert [(e.type, e.subject, e.data) for e in published(db)] == [
            ("product.created", "MUG-1", MUG | {"sku": "MUG-1", "currency": "USD", "version": 1})
        ]

    def test_a_change_is_told_and_the_same_again_is_not(
        self, client: FlaskClient, db: Database, staff: dict[str, str]
    ) -> None:
        put(client, staff, "MUG-1")

        changed = put(client, staff, "MUG-1", price_minor=990)
        again = put(client, staff, "MUG-1", price_minor=990)

        assert (changed.status_code, again.status_code) == (200, 200)
        assert changed.json == again.json
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
            ({"name": "a\x00b"}, "/name"),
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

    @pytest.mark.parametrize("body", ["", "{", "[]", "null", '"x"', "{} {}", '{"name": "\ud800"}'])
    def test_what_is_no_json_object_is_malformed(
        self, client: FlaskClient, staff: dict[str, str], body: str
    ) -> None:
        raw = body.encode("utf-8", "surrogatepass")

        assert pointers(client.put("/products/MUG-1", data=raw, headers=staff))

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
        seen, cursor, pages = [], "", 0
        while cursor is not None:
            page = client.get("/products", query_string={"limit": 2, "cursor": cursor}).json
            assert page is not None
            seen += [item["sku"] for item in page["items"]]
            cursor = page["next_cursor"]
            pages += 1

        assert seen == ["MUG-1", "MUG-2", "MUG-3", "MUG-4", "MUG-5"]
        assert pages == 3

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
        assert by_neither == {"items": [], "next_cursor": None}

    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            ("limit=0", "/limit"),
            ("limit=101", "/limit"),
            ("limit=99999999999999999999999", "/limit"),
            ("limit=ten", "/limit"),
            ("limit=-1", "/limit"),
            ("cursor=!!!", "/cursor"),
            ("cursor=Jw", "/cursor"),
            ("cursor=" + "A" * 101, "/cursor"),
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
            ({"skus": ["\x00"]}, "/skus/0"),
            ({"skus": ["MUG-1"], "currency": "EUR"}, "/currency"),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_a_malformed_body_is_named(
        self, client: FlaskClient, body: dict[str, object], pointer: str
    ) -> None:
        assert pointers(client.post("/quotes", json=body)) == [pointer]


class TestImportProducts:
    def test_an_import_tells_nobody_and_repeats_harmlessly(
        self, client: FlaskClient, db: Database, staff: dict[str, str]
    ) -> None:
        body = {"products": [MUG | {"sku": f"MUG-{n}"} for n in range(1000)]}

        first = client.post("/product-imports", json=body, headers=staff)
        again = client.post("/product-imports", json=body, headers=staff)

        assert first.json == {"created": 1000, "changed": 0, "unchanged": 0}
        assert again.json == {"created": 0, "changed": 0, "unchanged": 1000}
        assert published(db) == []

    @pytest.mark.parametrize(
        ("products", "pointer"),
        [
            ([], "/products"),
            ({}, "/products"),
            ([MUG], "/products/0/sku"),
            ([MUG | {"sku": "A"}, MUG | {"sku": "A"}], "/products"),
            ([MUG | {"sku": "A"}, MUG | {"sku": "B", "price_minor": 0}], "/products/1/price_minor"),
            ([MUG | {"sku": "A", "colour": "blue"}], "/products/0/colour"),
            ([MUG | {"sku": f"MUG-{n}"} for n in range(1001)], "/products"),
        ],
        ids=["none", "object", "no SKU", "twice", "no price", "extra", "too many"],
    )
    def test_one_malformed_product_stops_the_whole_import(
        self, client: FlaskClient, staff: dict[str, str], products: object, pointer: str
    ) -> None:
        response = client.post("/product-imports", json={"products": products}, headers=staff)

        assert pointers(response) == [pointer]
        assert client.get("/products").json == {"items": [], "next_cursor": None}

    def test_only_staff_may(self, client: FlaskClient) -> None:
        body = {"products": [MUG | {"sku": "MUG-1"}]}

        stranger = client.post("/product-imports", json=body)
        customer = client.post("/product-imports", json=body, headers=bearer(Role.CUSTOMER, "ana"))

        assert problem(stranger) == (401, "/problems/invalid-token")
        assert problem(customer) == (403, "/problems/not-allowed")


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
