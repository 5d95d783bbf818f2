"""What shoppers and their orders read of single products. Nobody needs a token."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from common import auth, etags, paging
from common.bodies import answer, read, read_query
from common.db import Database
from flask import Blueprint, Response

from catalog.clients import Load, ProductCache
from catalog.domain import products as domain
from catalog.domain.products import Product, ProductNotFound
from catalog.domain.search import Place
from catalog.routes import bodies
from catalog.routes.bodies import PageIn, QuoteIn
from catalog.use_cases import products as use_cases


def products(db: Database, cache: ProductCache) -> Blueprint:
    blueprint = Blueprint("products", __name__)
    load = _loading(db)

    @blueprint.get("/products/<sku>")
    @auth.public
    def read_product(sku: str) -> Response:
        found = cache.read([_known_form(sku)], load).get(sku)
        if found is None:
            raise ProductNotFound(f"product {sku} does not exist", sku=sku)
        headers = {"ETag": etags.header(found.version)}
        return answer(bodies.product_json(found), headers=headers)

    @blueprint.get("/products/<sku>/variants")
    @auth.public
    def list_variants(sku: str) -> Response:
        asked = _page()
        after = Place(*paging.decode(asked.cursor, int, str)) if asked.cursor else None  # type: ignore[arg-type]
        with db.transaction() as tx:
            product, page, following = use_cases.list_variants(
                tx, _known_form(sku), after, asked.limit
            )
        listing = product.listing
        return answer(
            {
                "product_group_id": listing.product_group_id,
                "name": listing.product_type or listing.name,
                "varies_by": ["size"] if listing.product_group_id else [],
                "items": [bodies.product_json(variant) for variant in page],
                "next_cursor": paging.encode(following.key, following.sku) if following else None,
            }
        )

    @blueprint.get("/products/<sku>/prices")
    @auth.public
    def read_prices(sku: str) -> Response:
        asked = _page()
        before = paging.decode(asked.cursor, int)[0] if asked.cursor else None
        with db.transaction() as tx:
            page, following = use_cases.read_price_history(
                tx, _known_form(sku), int(before) if before is not None else None, asked.limit
            )
        prices = [
            {name: value for name, value in asdict(price).items() if name != "position"}
            for price in page
        ]
        return answer(
            {
                "sku": sku,
                "items": prices,
                "next_cursor": paging.encode(following) if following else None,
            }
        )

    @blueprint.post("/quotes")
    @auth.public
    def quote_prices() -> Response:
        asked = read(QuoteIn)
        return answer(domain.quote(asked.skus, cache.read(asked.skus, load)))

    return blueprint


def _loading(db: Database) -> Load:
    def load(skus: Sequence[str]) -> Mapping[str, Product]:
        with db.transaction() as tx:
            return use_cases.load_products(tx, skus)

    return load


def _page() -> PageIn:
    return read_query(PageIn)


def _known_form(sku: str) -> str:
    """Raises ProductNotFound: what cannot be a SKU is none of ours."""
    if not domain.is_sku(sku):
        raise ProductNotFound("that is no SKU of ours")
    return sku
