"""Serves the read API from a thread beside the SMTP server. Knows no mail."""

import socket
import threading

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

# A reader that takes longer to say what it wants holds a thread for nothing.
REQUEST_TIMEOUT_S = 10


class QuietHandler(WSGIRequestHandler):
    """Writes no access log."""

    timeout = REQUEST_TIMEOUT_S

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def serve_http(listener: socket.socket, app: Flask) -> BaseWSGIServer:
    """Start answering on `listener`; `shutdown()` of what is returned ends it."""
    host, port = listener.getsockname()[:2]
    server = make_server(
        host, port, app, threaded=True, request_handler=QuietHandler, fd=listener.fileno()
    )
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    return server
