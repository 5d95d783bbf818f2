"""What requests may say, and how answers say it."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from common.bodies import DIGITS
from common.paging import PAGE_SIZE, PAGE_SIZE_MAX
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from catalog.domain import search as search_domain
from catalog.domain.imports import Import, RowError
from catalog.domain.products import CURRENCY, SKU_PATTERN, Availability, Listing, Node, Product
from catalog.domain.search import Bucket, Facets, Filters, Sort

# As many lines as an order may have; real baskets have up to 161.
QUOTE_SKUS_MAX: Final = 200
# About 250 KiB, a quarter of the largest body that is answered at once.
IMPORT_PRODUCTS_MAX: Final = 1000
# More words than anybody types; each is one more list of products to intersect.
SEARCH_WORDS_MAX: Final = 8
# A hundred thousand dollars: beyond that it is a typing error.
PRICE_MINOR_MAX: Final = 10_000_000


def _all_different(skus: list[str]) -> list[str]:
    if len(set(skus)) != len(skus):
        raise ValueError("each SKU only once")
    return skus


def _few_words(text: str) -> str:
    if len(text.split()) > SEARCH_WORDS_MAX:
        raise ValueError(f"at most {SEARCH_WORDS_MAX} words")
    return text.strip()


Sku = Annotated[str, StringConstraints(pattern=f"^{SKU_PATTERN}$")]
# PostgreSQL takes no NUL, and a page no control characters.
Text = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$"
    ),
]
# A size is "16 oz" or "300 ct(1)"; a brand no longer than a name.
Short = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]*$"
    ),
]
Filter = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$"),
]
Price = Annotated[int, Field(ge=0, le=PRICE_MINOR_MAX), DIGITS]
Limit = Annotated[int, Field(ge=1, le=PAGE_SIZE_MAX), DIGITS]


class DetailsIn(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Text
    department: Text
    category: Text
    price_minor: int = Field(strict=True, gt=0, le=PRICE_MINOR_MAX)
    currency: Literal["USD"] = CURRENCY
    product_type: Text | None = None
    brand: Short | None = None
    size: Short | None = None
    product_group_id: Sku | None = None


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
    """The query of a search."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    q: Annotated[
        str,
        StringConstraints(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$"),
        AfterValidator(_few_words),
    ] = ""
    department: Filter | None = None
    category: Filter | None = None
    product_type: Filter | None = None
    brand: Filter | None = None
    product_group_id: Sku | None = None
    availability: Literal["InStock", "LimitedAvailability", "OutOfStock"] | None = None
    price_from_minor: Price | None = None
    price_to_minor: Price | None = None
    sort: Sort | None = None
    facets: Literal["true", "false"] = "false"
    cursor: Annotated[str, StringConstraints(max_length=1024)] | None = None
    limit: Limit = PAGE_SIZE

    @property
    def filters(self) -> Filters:
        return Filters(
            department=self.department,
            category=self.category,
            product_type=self.product_type,
            brand=self.brand,
            product_group_id=self.product_group_id,
            availability=Availability(self.availability) if self.availability else None,
            price_from_minor=self.price_from_minor,
            price_to_minor=self.price_to_minor,
        )

    @property
    def order(self) -> Sort:
        return self.sort or (Sort.RELEVANCE if self.q else Sort.SKU)


class PageIn(BaseModel):
    """The query of any other list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cursor: Annotated[str, StringConstraints(max_length=1024)] | None = None
    limit: Limit = PAGE_SIZE


class SkuIn(BaseModel):
    sku: Sku


def listing(sku: str, details: DetailsIn) -> Listing:
    return Listing(sku, **details.model_dump(exclude={"sku"}))


def product_json(product: Product) -> dict[str, Any]:
    listed = product.listing
    return {
        "sku": listed.sku,
        "name": listed.name,
        "department": listed.department,
        "category": listed.category,
        "product_type": listed.product_type,
        "brand": listed.brand,
        "size": listed.size,
        "product_group_id": listed.product_group_id,
        "price_minor": listed.price_minor,
        "currency": listed.currency,
        "availability": product.availability,
        "version": product.version,
        "updated_at": product.updated_at,
    }


def facets_json(facets: Facets) -> dict[str, Any]:
    return {
        "total": facets.total,
        "departments": _named(facets.departments),
        "categories": _named(facets.categories),
        "price_bands": [_band(bucket) for bucket in facets.price_bands],
        "availabilities": _named(facets.availabilities),
    }


def tree_json(nodes: Sequence[Node]) -> list[dict[str, Any]]:
    levels = ("categories", "product_types")

    def shown(node: Node, depth: int) -> dict[str, Any]:
        below = [shown(child, depth + 1) for child in node.children]
        return {"name": node.name, "products": node.products} | (
            {levels[depth]: below} if depth < len(levels) else {}
        )

    return [shown(node, 0) for node in nodes]


def import_json(found: Import) -> dict[str, Any]:
    return {
        "id": found.id,
        "state": found.state,
        "rows_total": found.rows_total,
        "rows_done": found.rows_done,
        "created": found.created,
        "changed": found.changed,
        "unchanged": found.unchanged,
        "rejected": found.rejected,
        "created_at": found.created_at,
        "finished_at": found.finished_at,
    }


def errors_csv(errors: Sequence[RowError]) -> str:
    return "".join(
        ",".join((str(error.row), *map(_cell, (error.sku or "", error.pointer, error.detail))))
        + "\r\n"
        for error in errors
    )


def _cell(text: str) -> str:
    """RFC 4180. What a spreadsheet would run as a formula becomes text (CWE-1236)."""
    safe = "'" + text if re.match(r"[=+\-@\t\r]", text) else text
    return '"' + safe.replace('"', '""') + '"'


def _named(buckets: Sequence[Bucket]) -> list[dict[str, Any]]:
    return [{"name": bucket.value, "products": bucket.products} for bucket in buckets]


def _band(bucket: Bucket) -> dict[str, Any]:
    least, greatest = search_domain.band_bounds(int(bucket.value))
    return {"from_minor": least, "to_minor": greatest, "products": bucket.products}
