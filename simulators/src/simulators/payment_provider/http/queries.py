"""The provider's face to the shop: what tells the truth. Moves nothing; every question is kept."""

import base64
import binascii
import re
from dataclasses import replace

import orjson
from flask import Blueprint, Response, request

from simulators.payment_provider import clock
from simulators.payment_provider.http import requests
from simulators.payment_provider.http.bodies import REFERENCE_PATTERN
from simulators.payment_provider.http.problems import as_response
from simulators.payment_provider.rules.answers import json_answer
from simulators.payment_provider.rules.refusals import Malformed
from simulators.payment_provider.storage import book, operations
from simulators.payment_provider.storage.book import payment_of
from simulators.payment_provider.storage.representations import payment_shown, refund_shown

lookups = Blueprint("lookups", __name__, url_prefix="/v1")
lookups.before_request(requests.authenticate)

# A shop that pays one order a hundred times has a worse problem than a short list.
PAYMENTS_OF_REFERENCE_MAX = 100

# Half a megabyte: an hour of a busy shop in a few requests.
LIMIT_DEFAULT, LIMIT_MAX = 100, 1_000


@lookups.get("/payments/<payment_id>")
def read(payment_id: str) -> Response:
    with requests.provider().book.transaction() as tx:
        payment = operations.find(tx, payment_id)
        call = requests.call("payment.read", payment_id)
        book.add_call(tx, replace(call, reference=payment.charge.reference))
    return as_response(json_answer(payment_shown(payment)))


@lookups.get("/payments/<payment_id>/refunds")
def read_refunds(payment_id: str) -> Response:
    with requests.provider().book.transaction() as tx:
        payment = operations.find(tx, payment_id)
        found = book.refunds_of(tx, payment_id)
        call = requests.call("refund.find", payment_id)
        book.add_call(tx, replace(call, reference=payment.charge.reference))
    return as_response(json_answer({"refunds": [refund_shown(refund) for refund in found]}))


@lookups.get("/payments")
def find() -> Response:
    """By `reference`, or by `updated_since`: one of the two."""
    if ("reference" in request.args) == ("updated_since" in request.args):
        raise Malformed(parameter="reference", detail="either this or updated_since is needed")
    return _by_reference() if "reference" in request.args else _by_change()


@lookups.get("/operations/<key:key>")
def read_operation(key: str) -> Response:
    """The answer that was given under an Idempotency-Key; 404 if nothing was carried out."""
    key = requests.idempotency_key(key)
    with requests.provider().book.transaction() as tx:
        found = operations.find_answer(tx, key)
        book.add_call(tx, replace(requests.call("operation.read"), idempotency_key=key))
    return as_response(json_answer(found))


def _by_reference() -> Response:
    reference = request.args["reference"]
    if re.fullmatch(REFERENCE_PATTERN, reference) is None:
        raise Malformed(parameter="reference")
    with requests.provider().book.transaction() as tx:
        found = book.payments_of(tx, reference, limit=PAYMENTS_OF_REFERENCE_MAX)
        book.add_call(tx, replace(requests.call("payment.find"), reference=reference))
    return as_response(json_answer({"payments": [payment_shown(payment) for payment in found]}))


def _by_change() -> Response:
    """Every payment that changed since, in the order of the changes, page by page.

    One that changes while the pages are read comes again with its new state, on a later page.
    """
    limit = requests.limit(default=LIMIT_DEFAULT, largest=LIMIT_MAX)
    since, changed_seq = _position()
    with requests.provider().book.transaction() as tx:
        rows = book.payments_changed(tx, since, changed_seq, limit=limit)
        book.add_call(tx, requests.call("payment.list"))
    last = rows[-1] if len(rows) == limit else None
    cursor = None if last is None else _cursor(last["updated_at"], last["changed_seq"])
    shown = [payment_shown(payment_of(row)) for row in rows]
    return as_response(json_answer({"payments": shown, "next_cursor": cursor}))


def _position() -> tuple[str, int]:
    try:
        since = clock.rfc3339(clock.in_ms(request.args["updated_since"]))
    except ValueError as error:
        raise Malformed(parameter="updated_since") from error
    cursor = request.args.get("cursor")
    # The first change of that very moment is not left out: no entry of the log is number 0.
    return (since, 0) if cursor is None else max((since, 0), _decoded(cursor))


def _cursor(updated_at: str, changed_seq: int) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([updated_at, changed_seq])).decode()


def _decoded(cursor: str) -> tuple[str, int]:
    try:
        updated_at, changed_seq = orjson.loads(base64.urlsafe_b64decode(cursor.encode()))
        is_ours = cursor == _cursor(updated_at, changed_seq)
        clock.in_ms(updated_at)
        if not is_ours or not 0 <= changed_seq < 2**63:
            raise ValueError
    except (ValueError, TypeError, binascii.Error) as error:
        raise Malformed(parameter="cursor") from error
    return updated_at, changed_seq
