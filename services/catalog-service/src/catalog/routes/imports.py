"""Many products at once: up to 1,000 as JSON, answered at once; up to 200,000 as a file."""

import hashlib
from dataclasses import asdict
from uuid import UUID

from common import auth, idempotency, paging
from common.auth import Role
from common.bodies import answer, read, read_query
from common.db import Database
from common.errors import UnsupportedMediaType
from common.idempotency import Answer
from common.ids import new_id
from flask import Blueprint, Response, request
from sqlalchemy import Connection

from catalog.clients import ProductCache
from catalog.domain.imports import FILE_BYTES_MAX, ImportNotFound
from catalog.routes import bodies, files
from catalog.routes.bodies import ImportIn, PageIn
from catalog.use_cases import imports as use_cases
from catalog.use_cases import products as product_use_cases


class ProductFileExpected(UnsupportedMediaType):
    title = "The body has to be JSON, JSON lines or CSV"


def imports(db: Database, cache: ProductCache) -> Blueprint:
    blueprint = Blueprint("imports", __name__)

    @blueprint.post("/product-imports")
    @auth.requires(Role.STAFF)
    def import_products() -> Response:
        if request.mimetype in files.READERS:
            return _accept_file(db)
        if request.mimetype == "application/json":
            return _import_at_once(db, cache)
        raise ProductFileExpected(f"one of application/json, {', '.join(files.READERS)}")

    @blueprint.get("/product-imports")
    @auth.requires(Role.STAFF)
    def list_imports() -> Response:
        asked = _page()
        before = _import_id(str(paging.decode(asked.cursor, str)[0])) if asked.cursor else None
        with db.transaction() as tx:
            page, following = use_cases.list_imports(tx, before, asked.limit)
        return answer(
            {
                "items": [bodies.import_json(found) for found in page],
                "next_cursor": paging.encode(following) if following else None,
            }
        )

    @blueprint.get("/product-imports/<import_id>")
    @auth.requires(Role.STAFF)
    def read_import(import_id: str) -> Response:
        with db.transaction() as tx:
            found = use_cases.read_import(tx, _import_id(import_id))
        return answer(bodies.import_json(found))

    @blueprint.get("/product-imports/<import_id>/errors")
    @auth.requires(Role.STAFF)
    def list_errors(import_id: str) -> Response:
        asked = _page()
        after = int(paging.decode(asked.cursor, int)[0]) if asked.cursor else 0
        with db.transaction() as tx:
            page, last = use_cases.list_errors(tx, _import_id(import_id), after, asked.limit)
        cursor = paging.encode(last) if last else None
        if request.accept_mimetypes.best_match(["application/json", "text/csv"]) == "text/csv":
            text = "row,sku,pointer,detail\r\n" + bodies.errors_csv(page)
            link = {"Link": f'<?cursor={cursor}&limit={asked.limit}>; rel="next"'} if cursor else {}
            return Response(text, headers=link, content_type="text/csv; charset=utf-8")
        return answer({"items": [asdict(error) for error in page], "next_cursor": cursor})

    return blueprint


def _import_at_once(db: Database, cache: ProductCache) -> Response:
    listed = [bodies.listing(found.sku, found) for found in read(ImportIn).products]
    skus = [listing.sku for listing in listed]
    cache.hold(skus)
    with db.transaction() as tx:
        counts, revisions = product_use_cases.import_products(tx, listed)
    cache.outdate(skus, revisions)
    return answer(counts)


def _accept_file(db: Database) -> Response:
    """202: the worker writes it; once for each Idempotency-Key."""
    who = auth.caller().id
    key = idempotency.read_key(request.headers.get("Idempotency-Key"))
    request.max_content_length = FILE_BYTES_MAX
    body = request.get_data(cache=False)
    print_ = idempotency.fingerprint(
        "POST /product-imports", request.mimetype, hashlib.sha256(body).hexdigest()
    )
    rows = files.READERS[request.mimetype](body)

    def accept(tx: Connection) -> Answer:
        accepted = use_cases.accept(tx, new_id(), who, rows)
        return Answer.of(bodies.import_json(accepted), 202, f"/product-imports/{accepted.id}")

    with db.transaction() as tx:
        stored = idempotency.once(tx, who, key, print_, accept)
    return stored.render()


def _page() -> PageIn:
    return read_query(PageIn)


def _import_id(text: str) -> str:
    """Raises ImportNotFound: what is no UUID is no import of ours."""
    try:
        return str(UUID(text))
    except ValueError as error:
        raise ImportNotFound("there is none with that id") from error
