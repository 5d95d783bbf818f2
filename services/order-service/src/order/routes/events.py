"""An order's live status over HTTP: what it is now, and every change until it is settled."""

from uuid import UUID

import structlog
from common import auth, drain
from common.db import Database
from flask import Blueprint, Response, request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from order.domain import Changes, OrderView
from order.routes import bodies
from order.routes.orders import PEOPLE, owner, reading
from order.routes.streams import (
    News,
    Streams,
    follow,
    frame,
    has_gone,
    read_last_event_id,
)
from order.use_cases import orders as use_cases

log = structlog.get_logger()


def events(db: Database, streams: Streams) -> Blueprint:
    bp = Blueprint("events", __name__)

    @bp.get("/orders/<uuid:order_id>/events")
    @auth.requires(*PEOPLE)
    def follow_order(order_id: UUID) -> Response:
        seen = read_last_event_id(request.headers.get("Last-Event-ID"))
        with reading(db) as connection:
            view = use_cases.read_order(connection, str(order_id), owner())
        if seen is not None and seen > view.order.version:
            seen = None  # Of another order: what this one is has to be said from the beginning.
        if seen == view.order.version and view.order.settled:
            return Response(status=204)  # WHATWG HTML, 9.2.3: and do not ask again.
        first = _present(view) if seen is None else _news(view.changes_after(seen))
        client = request.environ.get("gunicorn.socket")
        return streams.respond(
            follow(
                first,
                _Changes(db, view.order.id, view.order.version),
                lambda: drain.is_draining() or has_gone(client),
            )
        )

    return bp


class _Changes:
    """What became of an order since it was looked at last: a connection for one statement."""

    def __init__(self, db: Database, order_id: str, version: int) -> None:
        self._db = db
        self._order_id = order_id
        self._version = version

    def __call__(self) -> News:
        try:
            with reading(self._db) as connection:
                changes = use_cases.changes_after(connection, self._order_id, self._version)
        except (DBAPIError, PoolTimeout) as error:
            # The database may be back at the next look; the client's next request need not wait.
            log.info("stream_not_read", order_id=self._order_id, error=type(error).__name__)
            return News()
        if changes.entries:
            self._version = changes.entries[-1].version
        return _news(changes)


def _present(view: OrderView) -> News:
    shown = frame("order", view.order.version, bodies.order_json(view))
    return News((shown,), is_last=view.order.settled)


def _news(changes: Changes) -> News:
    """Only the last event of a stream is marked as settled: that is how a client knows it."""
    last = changes.entries[-1] if changes.entries else None
    frames = tuple(
        frame(
            "status",
            entry.version,
            bodies.entry_json(entry) | {"settled": changes.settled and entry is last},
        )
        for entry in changes.entries
    )
    return News(frames, is_last=changes.settled)
