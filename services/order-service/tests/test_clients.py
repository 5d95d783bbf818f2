"""The catalog as the order service meets it: quick, stumbling, down, or making no sense."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from common.db import Database
from common.testing import published
from order_fixtures import Ana, FakeCatalog


def refuse(status: int) -> Any:
    return lambda: httpx.Response(status)


def no_answer() -> httpx.Response:
    raise httpx.ConnectTimeout("catalog")


def slow() -> httpx.Response:
    raise httpx.ReadTimeout("catalog")


def quote_of(price: int) -> dict[str, Any]:
    price_of_mug = {"sku": "MUG-1", "name": "Mug", "unit_price_minor": price}
    return {"currency": "USD", "prices": [price_of_mug], "unknown": []}


def test_a_catalog_that_stumbles_is_asked_again(ana: Ana, catalog: FakeCatalog) -> None:
    catalog.answers = [refuse(503), no_answer]

    assert ana.place().status_code == 202
    assert catalog.asked == 3


@pytest.mark.parametrize(
    "answer",
    [
        refuse(500),
        slow,
        lambda: httpx.Response(200, text="<html>"),
        lambda: httpx.Response(200, json={"currency": "USD"}),
        lambda: httpx.Response(200, json=quote_of(price=0)),
    ],
    ids=["500", "slow", "no JSON", "no prices", "for nothing"],
)
def test_a_catalog_that_makes_no_sense_is_not_asked_twice(
    db: Database, ana: Ana, catalog: FakeCatalog, answer: Callable[[], httpx.Response]
) -> None:
    catalog.answers = [answer]

    response = ana.place()

    assert (response.status_code, response.json["type"]) == (503, "/problems/catalog-unavailable")
    assert catalog.asked == 1
    assert published(db) == []


def test_a_replay_needs_no_catalog(ana: Ana, catalog: FakeCatalog) -> None:
    first = ana.place()
    catalog.answers = [no_answer] * 3

    assert ana.place().data == first.data


def test_a_catalog_that_is_down_refuses_the_order_for_now(
    db: Database, ana: Ana, catalog: FakeCatalog
) -> None:
    catalog.answers = [no_answer] * 3

    response = ana.place()

    assert (response.status_code, response.json["type"]) == (503, "/problems/catalog-unavailable")
    assert response.headers["Retry-After"]
    assert published(db) == []


def test_while_the_catalog_is_down_it_is_hardly_asked_more_than_shoppers_order(
    ana: Ana, catalog: FakeCatalog
) -> None:
    catalog.answers = [no_answer] * 1_000

    statuses = {ana.place(f"k-{number}").status_code for number in range(100)}

    assert statuses == {503}
    assert catalog.asked <= 120  # A tenth more, and the ten retries saved before.
