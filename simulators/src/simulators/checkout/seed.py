"""Puts the products of the run into the catalog and its stock on the shelf, as staff."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

import httpx

from simulators.journey.domain import Product

# What one request may carry: catalog import, stock receipt, stock query.
PRODUCTS_PER_IMPORT = 1000
LINES_PER_RECEIPT = 1000
SKUS_PER_QUERY = 200
TIMEOUT_S = 30.0


T = TypeVar("T")


class SeedingFailed(Exception):
    """A service refused the seed data, or did not answer; the message says which and why."""


def seed(
    catalog_url: str,
    inventory_url: str,
    staff_token: str,
    products: Sequence[Product],
    levels: Mapping[str, int],
) -> int:
    """Make the catalog know *products*, the shelf hold exactly *levels*; return how many arrived.

    What an earlier run left is topped up or written off with a note, never overwritten.
    """
    headers = {"Authorization": f"Bearer {staff_token}"}
    with httpx.Client(headers=headers, timeout=TIMEOUT_S) as http:
        for chunk in _chunks(products, PRODUCTS_PER_IMPORT):
            _post(http, f"{catalog_url}/product-imports", {"products": [_json(p) for p in chunk]})
        missing = {
            sku: level - available
            for sku, level, available in _available(http, inventory_url, levels)
            if level != available
        }
        arriving = [(sku, quantity) for sku, quantity in missing.items() if quantity > 0]
        for lines in _chunks(arriving, LINES_PER_RECEIPT):
            body = {
                "note": "delivery before the simulated day",
                "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines],
            }
            _post(http, f"{inventory_url}/stock/receipts", body)
        for sku, quantity in missing.items():
            if quantity < 0:
                write_off = {"sku": sku, "delta": quantity, "note": "left over from an earlier run"}
                _post(http, f"{inventory_url}/stock/adjustments", write_off)
    return len(arriving)


def _available(
    http: httpx.Client, inventory_url: str, levels: Mapping[str, int]
) -> Iterator[tuple[str, int, int]]:
    """(sku, wanted level, available now); a SKU the inventory never saw has none."""
    for chunk in _chunks(list(levels), SKUS_PER_QUERY):
        answer = _post(http, f"{inventory_url}/stock/queries", {"skus": chunk})
        available = {stock["sku"]: stock["available"] for stock in answer["stock"]}
        for sku in chunk:
            yield sku, levels[sku], available.get(sku, 0)


def _json(product: Product) -> dict[str, object]:
    return {
        "sku": product.sku,
        "name": product.name,
        "department": product.department,
        "category": product.category,
        "price_minor": product.price_minor,
        "currency": product.currency,
    }


def _post(http: httpx.Client, url: str, body: Mapping[str, object]) -> dict[str, Any]:
    try:
        response = http.post(url, json=body)
    except httpx.TransportError as error:
        raise SeedingFailed(f"{url} does not answer: {error}") from error
    if response.is_error:
        raise SeedingFailed(f"{url} answered {response.status_code}: {response.text[:500]}")
    answer: dict[str, Any] = response.json()
    return answer


def _chunks(items: Sequence[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
