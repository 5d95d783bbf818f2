"""Finding products: search, categories. Nobody needs a token."""

import hashlib
from typing import Any

import orjson
from common import auth, paging
from common.bodies import answer, read_query
from common.db import Database
from common.paging import MalformedCursor
from flask import Blueprint, Response

from catalog.clients import ProductCache
from catalog.domain.search import Filters, Place, Search, Sort
from catalog.routes import bodies
from catalog.routes.bodies import SearchIn
from catalog.use_cases import products as product_use_cases
from catalog.use_cases import search as use_cases

# The sort keys of these are names; of the others numbers.
NAMED = frozenset({Sort.NAME, Sort.SKU})


def searching(db: Database, cache: ProductCache) -> Blueprint:
    blueprint = Blueprint("searching", __name__)

    def count(text: str, filters: Filters) -> Any:
        def made() -> object:
            with db.transaction() as tx:
                return bodies.facets_json(use_cases.count_facets(tx, text, filters))

        if text:
            return made()
        # Without words there is most to count, and the fewest different questions.
        asked = hashlib.sha256(repr(filters).encode()).hexdigest()
        return orjson.loads(cache.remember(f"facets:{asked}", made))

    def categories() -> object:
        with db.transaction() as tx:
            return bodies.tree_json(product_use_cases.list_categories(tx))

    @blueprint.get("/products")
    @auth.public
    def search_products() -> Response:
        asked = read_query(SearchIn)
        search, corrected = _search(asked)
        with db.transaction() as tx:
            page = use_cases.search_products(tx, search)
        corrected = page.corrected or corrected
        wanted = asked.facets == "true"
        facets = count(corrected or search.text, search.filters) if wanted else None
        return answer(
            {
                "items": [bodies.product_json(product) for product in page.products],
                "next_cursor": _cursor(search.sort, corrected, page.next),
                "corrected_q": corrected,
                "facets": facets,
            }
        )

    @blueprint.get("/departments")
    @auth.public
    def list_departments() -> Response:
        tree = orjson.loads(cache.remember("categories", categories))
        return answer([{"name": node["name"], "products": node["products"]} for node in tree])

    @blueprint.get("/categories")
    @auth.public
    def list_categories() -> Response:
        tree = cache.remember("categories", categories)
        return Response(b'{"departments":' + tree + b"}", content_type="application/json")

    return blueprint


def _search(asked: SearchIn) -> tuple[Search, str | None]:
    """The search, and the correction that its first page was made with. Raises MalformedCursor."""
    if asked.cursor is None:
        return Search(asked.q, asked.filters, asked.order, None, asked.limit), None
    sort = asked.order
    kind = str if sort in NAMED or (sort is Sort.RELEVANCE and not asked.q) else int
    made_for, corrected, key, sku = paging.decode(asked.cursor, str, str, kind, str)
    if made_for != sort:
        raise MalformedCursor("it is of another order")
    text = SearchIn(q=str(corrected)).q or asked.q
    place = Place(key, str(sku))
    return Search(text, asked.filters, sort, place, asked.limit), str(corrected) or None


def _cursor(sort: Sort, corrected: str | None, place: Place | None) -> str | None:
    return paging.encode(sort, corrected or "", place.key, place.sku) if place else None
