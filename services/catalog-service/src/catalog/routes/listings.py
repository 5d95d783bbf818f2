"""What staff write: single products."""

from common import auth, etags
from common.auth import Role
from common.bodies import answer, read
from common.db import Database
from common.etags import MalformedEtag
from flask import Blueprint, Response, request

from catalog.clients import ProductCache
from catalog.domain.products import Change
from catalog.routes import bodies
from catalog.routes.bodies import DetailsIn, SkuIn
from catalog.use_cases import products as use_cases
from catalog.use_cases.products import Precondition


def listings(db: Database, cache: ProductCache) -> Blueprint:
    blueprint = Blueprint("listings", __name__)

    @blueprint.put("/products/<sku>")
    @auth.requires(Role.STAFF)
    def put_product(sku: str) -> Response:
        sku = SkuIn(sku=sku).sku
        condition = _precondition()
        listing = bodies.listing(sku, read(DetailsIn))
        cache.hold([sku])
        with db.transaction() as tx:
            product, change = use_cases.put_product(tx, listing, condition)
        cache.outdate([sku], {sku: product.revision})
        status = 201 if change is Change.CREATED else 200
        headers = {"ETag": etags.header(product.version)}
        return answer(bodies.product_json(product), status, headers)

    @blueprint.delete("/products/<sku>")
    @auth.requires(Role.STAFF)
    def withdraw_product(sku: str) -> Response:
        sku = SkuIn(sku=sku).sku
        condition = _precondition()
        cache.hold([sku])
        with db.transaction() as tx:
            product = use_cases.withdraw_product(tx, sku, condition)
        cache.outdate([sku], {sku: product.revision})
        return Response(status=204)

    return blueprint


def _precondition() -> Precondition:
    """Raises MalformedEtag."""
    if_match = request.headers.get("If-Match")
    if_none_match = request.headers.get("If-None-Match")
    if if_none_match is not None and if_none_match.strip() != "*":
        raise MalformedEtag("of If-None-Match only * is taken: create it, or do nothing")
    return Precondition(
        given=if_match is not None,
        version=etags.expected(if_match),
        must_be_new=if_none_match is not None,
    )
