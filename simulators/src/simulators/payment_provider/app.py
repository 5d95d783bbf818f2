"""Builds the provider's Flask application. Serves nothing by itself: see `server`."""

import threading

from flask import Flask

from simulators.payment_provider import problems
from simulators.payment_provider.api import v1
from simulators.payment_provider.book import Book
from simulators.payment_provider.control import control
from simulators.payment_provider.settings import Settings

# The largest honest request is a card of 200 bytes.
BODY_BYTES_MAX = 64 * 1024


def create_app(settings: Settings, book: Book, stopping: threading.Event) -> Flask:
    """The provider's face and its observation over `book`; `stopping` cuts slow answers short."""
    app = Flask(__package__)
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX
    app.extensions["settings"] = settings
    app.extensions["book"] = book
    app.extensions["stopping"] = stopping
    problems.install(app)
    app.register_blueprint(v1)
    app.register_blueprint(control)
    return app
