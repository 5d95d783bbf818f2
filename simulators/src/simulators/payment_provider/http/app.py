"""Builds the provider's Flask application. Serves nothing by itself: see `server`."""

import threading
from collections.abc import Callable

from flask import Flask
from werkzeug.routing import BaseConverter

from simulators.payment_provider.http import problems, requests
from simulators.payment_provider.http.bank import bank
from simulators.payment_provider.http.commands import moves
from simulators.payment_provider.http.control import control
from simulators.payment_provider.http.pages import pages
from simulators.payment_provider.http.queries import lookups
from simulators.payment_provider.settings import Settings
from simulators.payment_provider.storage.book import Book

# The largest honest request is a card of 200 bytes.
BODY_BYTES_MAX = 64 * 1024


class Key(BaseConverter):
    """An Idempotency-Key in an address: slashes too, wherever they are."""

    part_isolating = False
    regex = ".+?"


def create_app(
    settings: Settings,
    book: Book,
    stopping: threading.Event,
    wake: Callable[[], None] = lambda: None,
) -> Flask:
    """The provider's faces over `book`; `stopping` cuts slow answers short.

    wake: called after each request that may have queued a webhook.
    """
    app = Flask(__package__)
    app.url_map.merge_slashes = False
    app.url_map.converters["key"] = Key
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX
    requests.install(app, requests.Provider(settings, book, stopping, wake))
    problems.install(app)
    for face in (moves, lookups, control, pages, bank):
        app.register_blueprint(face)
    return app
