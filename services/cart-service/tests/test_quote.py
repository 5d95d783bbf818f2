"""GET /cart/quote and what follows from it, over neighbours that are two dicts."""

from typing import Any

import httpx
import pytest
from common.auth import Role
from common.db import Database
from common.testing import bearer
from flask.testing import FlaskClient
from sqlalchemy import text


@pytest.fixture
def ana(client: FlaskClient, ana: dict[str, str]) -> dict[str, str]:
    """With two mugs and a jar."""
    mug, jar = {"sku": "MUG-1", "quantity": 2}, {"sku": "JAR-1", "quantity": 1}
    client.put("/cart", json={"lines": [mug, jar]}, headers=ana)
    return ana


def quote(client: FlaskClient, who: dict[str, str]) -> dict[str, Any]:
    response = client.get("/cart/quote", headers=who)
    assert response.status_code == 200
    body: dict[str, Any] = response.get_json()
    return body


def changed(client: FlaskClient, who: dict[str, str]) -> dict[str, bool]:
    return {line["sku"]: line["price_changed"] for line in quote(client, who)["lines"]}


def accept(client: FlaskClient, who: dict[str, str], **prices: int) -> Any:
    said = [
        {"sku": sku.replace("_", "-"), "unit_price_minor": price} for sku, price in prices.items()
    ]
    return client.put("/cart/accepted-prices", json={"prices": said}, headers=who)


def test_a_cart_is_quoted_line_by_line(
    client: FlaskClient, ana: dict[str, str], shelf: Any
) -> None:
    shelf.stock["MUG-1"] = 1

    response = client.get("/cart/quote", headers=ana)

    assert response.headers["ETag"] == '"1"'
    assert response.headers["Cache-Control"] == "no-store"
    assert response.json == {
        "customer_id": "ana",
        "version": 1,
        "currency": "USD",
        "lines": [
            {
                "sku": "MUG-1",
                "quantity": 2,
                "available": True,
                "name": "Mug",
                "unit_price_minor": 250,
                "line_total_minor": 500,
                "previous_unit_price_minor": None,
                "price_changed": False,
                "stock": "limited",
                "quantity_in_stock": 1,
            },
            {
                "sku": "JAR-1",
                "quantity": 1,
                "available": True,
                "name": "Jar",
                "unit_price_minor": 499,
                "line_total_minor": 499,
                "previous_unit_price_minor": None,
                "price_changed": False,
                "stock": "in_stock",
                "quantity_in_stock": 10,
            },
        ],
        "subtotal_minor": 999,
        "stock_known": True,
    }


def test_each_neighbour_is_asked_once_about_the_whole_cart(
    client: FlaskClient, ana: dict[str, str], shelf: Any
) -> None:
    quote(client, ana)

    assert sorted(shelf.asked) == ["/quotes", "/stock/queries"]


def test_nobody_is_asked_about_an_empty_cart(client: FlaskClient, shelf: Any) -> None:
    quoted = quote(client, bearer(Role.GUEST, "nobody"))

    assert shelf.asked == []
    assert (quoted["lines"], quoted["currency"], quoted["version"]) == ([], None, 0)


def test_what_is_not_sold_any_more_is_flagged_and_not_hidden(
    client: FlaskClient, ana: dict[str, str], shelf: Any
) -> None:
    del shelf.prices["MUG-1"]

    quoted = quote(client, ana)

    gone = quoted["lines"][0]
    assert (gone["sku"], gone["available"], gone["line_total_minor"]) == ("MUG-1", False, None)
    assert quoted["subtotal_minor"] == 499


class TestPriceChanged:
    def test_a_price_that_changed_is_flagged_until_it_is_accepted(
        self, client: FlaskClient, ana: dict[str, str], shelf: Any
    ) -> None:
        quote(client, ana)
        shelf.prices["MUG-1"] = ("Mug", 300)

        first = quote(client, ana)["lines"][0]
        again = quote(client, ana)["lines"][0]
        accepted = accept(client, ana, MUG_1=300)

        assert (first["price_changed"], first["previous_unit_price_minor"]) == (True, 250)
        assert again == first, "to be looked at twice is not to be accepted"
        assert (accepted.status_code, accepted.headers["ETag"]) == (200, '"1"')
        assert changed(client, ana) == {"MUG-1": False, "JAR-1": False}

    def test_a_price_that_came_back_is_no_change(
        self, client: FlaskClient, ana: dict[str, str], shelf: Any
    ) -> None:
        quote(client, ana)
        shelf.prices["MUG-1"] = ("Mug", 300)
        quote(client, ana)
        shelf.prices["MUG-1"] = ("Mug", 250)

        assert changed(client, ana) == {"MUG-1": False, "JAR-1": False}

    def test_to_accept_an_older_price_leaves_the_flag(
        self, client: FlaskClient, ana: dict[str, str], shelf: Any
    ) -> None:
        quote(client, ana)
        shelf.prices["MUG-1"] = ("Mug", 300)

        accept(client, ana, MUG_1=275)

        assert changed(client, ana)["MUG-1"]

    def test_another_quantity_keeps_what_was_shown(
        self, client: FlaskClient, ana: dict[str, str], shelf: Any
    ) -> None:
        quote(client, ana)
        client.patch("/cart/lines/MUG-1", json={"add": 1}, headers=ana)
        shelf.prices["MUG-1"] = ("Mug", 300)

        assert changed(client, ana)["MUG-1"]

    def test_a_product_put_in_again_is_shown_for_the_first_time(
        self, client: FlaskClient, ana: dict[str, str], shelf: Any
    ) -> None:
        quote(client, ana)
        client.delete("/cart/lines/MUG-1", headers=ana)
        shelf.prices["MUG-1"] = ("Mug", 300)
        client.put("/cart/lines/MUG-1", json={"quantity": 1}, headers=ana)

        assert not changed(client, ana)["MUG-1"]

    def test_to_accept_prices_of_what_is_not_there_changes_nothing(
        self, client: FlaskClient, db: Database
    ) -> None:
        nobody = bearer(Role.GUEST, "nobody")

        response = accept(client, nobody, MUG_1=300)

        assert response.json == {"customer_id": "nobody", "lines": [], "version": 0}
        with db.transaction() as tx:
            assert tx.scalar(text("SELECT count(*) FROM carts WHERE shown_prices <> '{}'")) == 0

    def test_prices_of_a_cart_that_is_another_by_now_are_not_accepted(
        self, client: FlaskClient, ana: dict[str, str], shelf: Any
    ) -> None:
        quote(client, ana)
        shelf.prices["MUG-1"] = ("Mug", 300)

        response = accept(client, ana | {"If-Match": '"9"'}, MUG_1=300)

        assert response.status_code == 412
        assert changed(client, ana)["MUG-1"]

    @pytest.mark.parametrize(
        ("prices", "pointer"),
        [
            ([{"sku": "A", "unit_price_minor": 1}] * 2, "/prices"),
            ([{"sku": "A", "unit_price_minor": 0}], "/prices/0/unit_price_minor"),
            ([{"sku": "A", "unit_price_minor": 1.5}], "/prices/0/unit_price_minor"),
            ([{"sku": "A", "unit_price_minor": 10**30}], "/prices/0/unit_price_minor"),
            ([{"sku": "", "unit_price_minor": 1}], "/prices/0/sku"),
            ([{"sku": f"S-{n}", "unit_price_minor": 1} for n in range(201)], "/prices"),
        ],
        ids=["twice", "free", "fraction", "endless", "no sku", "too many"],
    )
    def test_malformed_prices_are_named(
        self, client: FlaskClient, ana: dict[str, str], prices: Any, pointer: str
    ) -> None:
        response = client.put("/cart/accepted-prices", json={"prices": prices}, headers=ana)

        assert response.status_code == 400
        assert [fault["pointer"] for fault in response.get_json()["errors"]] == [pointer]


def test_without_the_inventory_the_cart_is_quoted_without_stock(
    client: FlaskClient, ana: dict[str, str], shelf: Any
) -> None:
    shelf.inventory_answers.append(lambda _: httpx.Response(500))

    quoted = quote(client, ana)

    assert not quoted["stock_known"]
    assert {line["stock"] for line in quoted["lines"]} == {"unknown"}
    assert quoted["subtotal_minor"] == 999


def test_without_the_catalog_it_is_to_be_asked_again(
    client: FlaskClient, ana: dict[str, str], shelf: Any
) -> None:
    shelf.catalog_answers.append(lambda _: httpx.Response(500))

    response = client.get("/cart/quote", headers=ana)

    assert response.status_code == 503
    assert response.get_json()["type"] == "/problems/catalog-unavailable"
    assert response.headers["Retry-After"]


def test_no_connection_is_held_while_others_are_asked(
    client: FlaskClient, ana: dict[str, str], shelf: Any, db: Database
) -> None:
    in_use: list[int] = []

    def count(_: httpx.Request) -> httpx.Response:
        with db.transaction() as tx:
            in_use.append(
                tx.scalar(
                    text(
                        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                        " AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'"
                    )
                )
                or 0
            )
        return httpx.Response(200, json={"currency": "USD", "prices": []})

    shelf.catalog_answers.append(count)

    quote(client, ana)

    assert in_use == [0]
