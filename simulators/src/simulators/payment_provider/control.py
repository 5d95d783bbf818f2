"""What tests and people may see of the book: `/book/*`, `/healthz` and the page. Changes nothing.

Behaviour is not switched here: the payment method selects it (`behaviours`).
"""

import sqlite3
from collections.abc import Sequence

from flask import Blueprint, Response, current_app, render_template, request

from simulators.payment_provider import observation
from simulators.payment_provider.answers import json_answer
from simulators.payment_provider.book import Book, payment_of
from simulators.payment_provider.operations import representation
from simulators.payment_provider.payments import CURRENCY_DECIMALS
from simulators.payment_provider.problems import as_response
from simulators.payment_provider.refusals import Malformed

control = Blueprint("control", __name__)

LIMIT_MAX = 1_000  # About 300 kB of payments: one answer, still quick to build.
LIMIT_DEFAULT = 100
LATEST_ON_PAGE = 50  # What a person looks through without paging.

# Nothing but our own style sheet: a page of plain tables needs no script.
CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'self'; frame-ancestors 'none'"


@control.get("/healthz")
def healthz() -> dict[str, str]:
    return {"status": "ok"}


@control.get("/book/payments")
def list_payments() -> Response:
    with _book().reading() as tx:
        rows = observation.payments_after(tx, _argument("after", 0), limit=_limit())
    return _listed("payments", rows, [representation(payment_of(row)) for row in rows])


@control.get("/book/calls")
def list_calls() -> Response:
    return _list_log("call", "calls")


@control.get("/book/facts")
def list_facts() -> Response:
    return _list_log("fact", "facts")


@control.get("/book/summary")
def summarize() -> Response:
    with _book().reading() as tx:
        return as_response(json_answer(observation.summary(tx)))


@control.get("/")
def page() -> Response:
    with _book().reading() as tx:
        latest = observation.latest_payments(tx, limit=LATEST_ON_PAGE)
    shown = [(payment, _amount(payment.charge.amount_minor, payment.charge.currency))
             for payment in latest]  # fmt: skip
    response = Response(render_template("payments.html", payments=shown, limit=LATEST_ON_PAGE))
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response


def _list_log(kind: str, name: str) -> Response:
    after, limit = _argument("after", 0), _limit()
    with _book().reading() as tx:
        rows = observation.log_after(
            tx, kind, after, reference=request.args.get("reference"), limit=limit
        )
    return _listed(name, rows, [_entry(row) for row in rows])


def _entry(row: sqlite3.Row) -> dict[str, object]:
    """A row of the log without the columns that this kind of entry leaves empty."""
    shown = {column: row[column] for column in row.keys() if row[column] is not None}  # noqa: SIM118 - a Row iterates over values
    del shown["kind"]
    if row["kind"] == "fact":
        del shown["replayed"]
    else:
        shown["replayed"] = bool(row["replayed"])
    return shown


def _listed(name: str, rows: Sequence[sqlite3.Row], items: list[dict[str, object]]) -> Response:
    """One page; `next` is the cursor for the one after it, null when nothing followed."""
    is_full = len(rows) == _limit()
    return as_response(json_answer({name: items, "next": rows[-1]["seq"] if is_full else None}))


def _limit() -> int:
    limit = _argument("limit", LIMIT_DEFAULT)
    if not 1 <= limit <= LIMIT_MAX:
        raise Malformed(parameter="limit", minimum=1, maximum=LIMIT_MAX)
    return limit


def _argument(name: str, default: int) -> int:
    given = request.args.get(name, str(default))
    if not (given.isascii() and given.isdigit() and len(given) <= 18):  # fits SQLite's integer
        raise Malformed(parameter=name)
    return int(given)


def _amount(amount_minor: int, currency: str) -> str:
    """`19.00 EUR`, `1900 JPY`: as many decimals as ISO 4217 gives the currency."""
    decimals = CURRENCY_DECIMALS[currency]
    return f"{amount_minor / 10**decimals:,.{decimals}f} {currency}"


def _book() -> Book:
    opened: Book = current_app.extensions["book"]
    return opened
