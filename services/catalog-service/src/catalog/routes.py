"""HTTP in, HTTP out. Parses, opens the transaction, calls one use case, renders."""

from collections.abc import Sequence
from typing import Annotated, Literal

import orjson
from common import auth
from common.auth import Role
from common.db import Database
from flask import Blueprint, Response, request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from catalog import domain, use_cases
from catalog.domain import CURRENCY, SKU_PATTERN, Change, Listing, Product, Search

# As many lines as an order may have; real baskets have up to 161.
QUOTE_SKUS_MAX = 200
# About 250 KiB, a quarter of the largest body the service takes.
IMPORT_PRODUCTS_MAX = 1000
PAGE_SIZE = 20
PAGE_SIZE_MAX = 100
# More words than anybody types; each is one more pass over the names.
SEARCH_WORDS_MAX = 8
# A hundred thousand dollars: beyond that it is a typing error.
PRICE_MINOR_MAX = 10_000_000


def _all_different(skus: list[str]) -> list[str]:
    if len(set(skus)) != len(skus):
        raise ValueError("each SKU only once")
    return skus


def _few_words(text: str) -> str:
    if len(text.split()) > SEARCH_WORDS_MAX:
        raise ValueError(f"at most {SEARCH_WORDS_MAX} words")
    return text


def _sku_before(cursor: str) -> str:
    return domain.sku_before(cursor) if cursor else ""


Sku = Annotated[str, StringConstraints(pattern=f"^{SKU_PATTERN}$")]
# PostgreSQL takes no NUL, and a page no control characters.
Text = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$"
    ),
]


class DetailsIn(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Text
    department: Text
    category: Text
    price_minor: int = Field(strict=True, gt=0, le=PRICE_MINOR_MAX)
    currency: Literal["USD"] = CURRENCY


class ListingIn(DetailsIn):
    sku: Sku


def _unique_by_sku(listings: list[ListingIn]) -> list[ListingIn]:
    _all_different([listing.sku for listing in listings])
    return listings


class ImportIn(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    products: Annotated[
        list[ListingIn],
        Field(min_length=1, max_length=IMPORT_PRODUCTS_MAX),
        AfterValidator(_unique_by_sku),
    ]


class QuoteIn(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    skus: Annotated[
        list[Sku],
        Field(min_length=1, max_length=QUOTE_SKUS_MAX),
        AfterValidator(_all_different),
    ]


class SearchIn(BaseModel):
    """The query of a search; `cursor` is parsed to the SKU it stands after."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    q: Annotated[
        str, StringConstraints(max_length=100, pattern=r"^[^\x00]*$"), AfterValidator(_few_words)
    ] = ""
    department: Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")] = ""
    cursor: Annotated[str, StringConstraints(max_length=100), AfterValidator(_sku_before)] = ""
    limit: int = Field(default=PAGE_SIZE, ge=1, le=PAGE_SIZE_MAX)


class _Path(BaseModel):
    sku: Sku


def products(db: Database) -> Blueprint:
    """What shoppers read: products, departments and prices. Nobody needs a token."""
    blueprint = Blueprint("products", __name__)

    @blueprint.get("/products")
    def search_products() -> Response:
        asked = SearchIn.model_validate(request.args.to_dict())
        search = Search(tuple(asked.q.split()), asked.department, asked.cursor, asked.limit)
        with db.transaction() as tx:
            page, next_cursor = use_cases.search_products(tx, search)
        return _json({"items": [_render(product) for product in page], "next_cursor": next_cursor})

    @blueprint.get("/products/<sku>")
    def read_product(sku: str) -> Response:
        with db.transaction() as tx:
            product = use_cases.read_product(tx, sku)
        return _json(_render(product))

    @blueprint.get("/departments")
    def list_departments() -> Response:
        with db.transaction() as tx:
            departments = use_cases.list_departments(tx)
        return _json(departments)

    @blueprint.post("/quotes")
    def quote_prices() -> Response:
        asked = QuoteIn.model_validate_json(request.get_data())
        with db.transaction() as tx:
            quote = use_cases.quote_prices(tx, asked.skus)
        return _json(quote)

    return blueprint


def listings(db: Database) -> Blueprint:
    """What staff write."""
    blueprint = Blueprint("listings", __name__)

    @blueprint.put("/products/<sku>")
    @auth.requires(Role.STAFF)
    def put_product(sku: str) -> Response:
        sku = _Path(sku=sku).sku
        details = DetailsIn.model_validate_json(request.get_data())
        with db.transaction() as tx:
            product, change = use_cases.put_product(tx, Listing(sku, **details.model_dump()))
        return _json(_render(product), 201 if change is Change.CREATED else 200)

    @blueprint.post("/product-imports")
    @auth.requires(Role.STAFF)
    def import_products() -> Response:
        asked = ImportIn.model_validate_json(request.get_data())
        listed = [Listing(**listing.model_dump()) for listing in asked.products]
        with db.transaction() as tx:
            counts = use_cases.import_products(tx, listed)
        return _json(counts)

    return blueprint


def _render(product: Product) -> dict[str, object]:
    listing = product.listing
    return {
        "sku": listing.sku,
        "name": listing.name,
        "department": listing.department,
        "category": listing.category,
        "price_minor": listing.price_minor,
        "currency": listing.currency,
        "availability": product.availability,
        "version": product.version,
        "updated_at": product.updated_at,
    }


def _json(body: object | Sequence[object], status: int = 200) -> Response:
    """orjson renders dataclasses and datetimes itself, without a copy as dictionaries."""
    return Response(
        orjson.dumps(body, option=orjson.OPT_UTC_Z), status, content_type="application/json"
    )
