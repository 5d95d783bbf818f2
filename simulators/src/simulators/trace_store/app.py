"""Both ports as one WSGI application, because they share one memory."""

from collections.abc import Iterable

from simulators.trace_store.answer import Environ, StartResponse, WSGIApp
from simulators.trace_store.ingest import create_ingest
from simulators.trace_store.journal import Journal
from simulators.trace_store.metrics import Metrics
from simulators.trace_store.query import create_query
from simulators.trace_store.store import Store


def create_app(store: Store, *, otlp_port: int, journal: Journal | None = None) -> WSGIApp:
    """Takes spans and metrics on *otlp_port* and answers questions on any other.

    journal: where every request with spans is kept before it is answered; nowhere if None.

    Apart, as Jaeger has them: an exporter sent to the wrong port fails here too.
    """
    metrics = Metrics()
    ingest, query = create_ingest(store, metrics, journal), create_query(store, metrics)

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        chosen = ingest if environ["SERVER_PORT"] == str(otlp_port) else query
        return chosen(environ, start_response)

    return app
