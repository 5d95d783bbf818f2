"""The mails as JSON for tests and as pages for people. Reads only."""

import json
import sqlite3

from flask import Flask, Response, current_app, jsonify, render_template, request
from werkzeug.exceptions import BadRequest, HTTPException, NotFound

from simulators.mailbox import mail
from simulators.mailbox.book import CONDITIONS, Book

LIMIT_MAX = 1_000  # Mails in lists come without their bodies: half a megabyte at most.
LIMIT_DEFAULT = 100
LATEST_ON_PAGE = 50  # What a person looks through without paging.
FILTER_CHARS_MAX = 254  # The longest address (RFC 5321 §4.5.3.1.3) is the longest of them.

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'self';"
    " frame-ancestors 'none'"
)

# The mail is a stranger's HTML: no script, no form, nothing fetched, an origin of its own.
MAIL_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
)


def create_app(book: Book) -> Flask:
    app = Flask(__package__)
    app.extensions["book"] = book
    app.register_error_handler(HTTPException, _problem)
    app.register_error_handler(Exception, _bug)
    app.add_url_rule("/healthz", view_func=healthz)
    app.add_url_rule("/summary", view_func=summary)
    app.add_url_rule("/messages", view_func=list_messages)
    app.add_url_rule("/messages/<id>", view_func=read_message)
    app.add_url_rule("/", view_func=inbox_page)
    app.add_url_rule("/messages/<id>/view", view_func=message_page)
    app.add_url_rule("/messages/<id>/html", view_func=message_html)
    return app


def healthz() -> dict[str, str]:
    return {"status": "ok"}


def summary() -> dict[str, int]:
    return _book().summary()


def list_messages() -> Response:
    """One page; `next` is the cursor for the one after it, null when nothing followed.

    text=1: each with its text, for who reads them all.
    """
    narrowed_by, limit, is_read = _narrowed_by(), _limit(), _argument("text", 0) > 0
    rows = _book().list_messages(narrowed_by, _argument("after", 0), limit=limit)
    following = rows[-1]["seq"] if len(rows) == limit else None
    messages = [_in_short(row) | ({"text": row["text"]} if is_read else {}) for row in rows]
    return jsonify(messages=messages, next=following)


def read_message(id: str) -> dict[str, object]:
    row = _find(id)
    bodies = {"headers": json.loads(row["headers"]), "text": row["text"], "html": row["html"]}
    return _in_short(row) | bodies


def inbox_page() -> Response:
    try:
        # A form sends its empty fields too.
        narrowed_by = {name: value for name, value in _narrowed_by().items() if value}
    except BadRequest as error:
        return _inbox([], {}, error.description)
    rows = _book().latest(narrowed_by, limit=LATEST_ON_PAGE)
    return _inbox([_in_short(row) for row in rows], narrowed_by)


def _inbox(
    messages: list[dict[str, object]], narrowed_by: dict[str, str], fault: str | None = None
) -> Response:
    page = render_template(
        "inbox.html", messages=messages, limit=LATEST_ON_PAGE, narrowed_by=narrowed_by, fault=fault
    )
    response = _secured(page, PAGE_POLICY)
    response.status_code = 400 if fault else 200
    return response


def message_page(id: str) -> Response:
    row = _find(id)
    page = render_template(
        "message.html",
        message=_in_short(row),
        text=row["text"],
        links=mail.links(row["text"]),
        has_html=row["html"] is not None,
    )
    return _secured(page, PAGE_POLICY)


def message_html(id: str) -> Response:
    """What the mail's frame shows; safe to open by itself as well."""
    html = _find(id)["html"]
    if html is None:
        raise NotFound
    return _secured(html, MAIL_POLICY)


def _secured(html: str, policy: str) -> Response:
    response = Response(html)
    response.headers["Content-Security-Policy"] = policy
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _in_short(row: sqlite3.Row) -> dict[str, object]:
    return {
        "id": row["id"],
        "message_id": row["message_id"],
        "from": row["sender"],
        "to": json.loads(row["recipients"]),
        "subject": row["subject"],
        "order_id": row["order_id"],
        "kind": row["kind"],
        "received_at": row["received_at"],
        "deliveries": row["deliveries"],
    }


def _find(id: str) -> sqlite3.Row:
    row = _book().find(id)
    if row is None:
        raise NotFound
    return row


def _narrowed_by() -> dict[str, str]:
    """Raises BadRequest, which says what would be right."""
    given = {name: request.args[name].strip() for name in CONDITIONS if name in request.args}
    for name, value in given.items():
        if len(value) > FILTER_CHARS_MAX:
            raise BadRequest(f"{name} has at most {FILTER_CHARS_MAX} characters")
    return given


def _limit() -> int:
    limit = _argument("limit", LIMIT_DEFAULT)
    if not 1 <= limit <= LIMIT_MAX:
        raise BadRequest
    return limit


def _argument(name: str, default: int) -> int:
    given = request.args.get(name, str(default))
    if not (given.isascii() and given.isdigit() and len(given) <= 18):  # fits SQLite's integer
        raise BadRequest
    return int(given)


def _problem(error: HTTPException) -> Response:
    """RFC 9457; the standard titles say all there is to say here."""
    body = {"type": "about:blank", "title": error.name, "status": error.code}
    return Response(json.dumps(body), error.code, content_type="application/problem+json")


def _bug(error: Exception) -> Response:
    current_app.logger.error("request_failed", exc_info=error)
    body = {"type": "about:blank", "title": "Internal server error", "status": 500}
    return Response(json.dumps(body), 500, content_type="application/problem+json")


def _book() -> Book:
    book: Book = current_app.extensions["book"]
    return book
