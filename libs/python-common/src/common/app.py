"""One application factory for seven services: health, problems, logs, traces, limits."""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import structlog
from flask import Blueprint, Flask, Response, g, request
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from sqlalchemy.exc import SQLAlchemyError

from common import auth, card_numbers, deadline, drain, logs, problem_pages, problems, tracing
from common import contract as contracts
from common.errors import Unavailable
from common.settings import ServiceSettings

# The largest body of a route that does not say otherwise is a catalog import of 1,000 products,
# about 250 KiB.
BODY_BYTES_MAX = 1024 * 1024
# In the configuration of an app whose routes accept more than that: the most any of them does.
BODY_BYTES_ACCEPTED = "BODY_BYTES_ACCEPTED"
UNTRACED = "healthz,readyz"
# OWASP REST Security Cheat Sheet. An answer is data for a program: nothing in it may be run, framed
# or guessed to be of another type. No CORS header is ever sent, so no foreign page may read it.
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Two years, for when a balancer speaks TLS before us (RFC 6797 §7.2: ignored over plain HTTP).
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
}

log = structlog.get_logger()

Check = Callable[[], object]


class NotReady(Unavailable):
    title = "This instance takes no traffic"


def create_app(
    name: str,
    settings: ServiceSettings,
    blueprints: Iterable[Blueprint],
    checks: Mapping[str, Check],
    contract: Path | None = None,
) -> Flask:
    """A Flask app with our logs, traces, problem details, limits and health endpoints.

    checks: what must answer before this instance takes traffic; each raises if it does
        not. Liveness asks nothing, so a lost database restarts no container.
    contract: the folder of `openapi.yaml` and `asyncapi.yaml`, unless CONTRACT_DIR says
        otherwise; they are then served, with pages to read them by.
    """
    tracing.install("web")
    logs.install("web")
    app = Flask(name, static_folder=None)  # A service has no files to give away.
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX
    app.url_map.strict_slashes = False
    problems.install(app)
    auth.install(app, settings)
    deadline.install(app)
    for blueprint in blueprints:
        app.register_blueprint(blueprint)
    _add_health(app, checks)
    problem_pages.install(app)
    if folder := settings.contract_dir or contract:
        contracts.install(app, folder)
    _add_security_headers(app)
    _add_request_log(app)
    app.before_request(tracing.forget_tracestate)
    FlaskInstrumentor().instrument_app(  # type: ignore[no-untyped-call]
        app, excluded_urls=UNTRACED, response_hook=tracing.hide_secrets
    )
    card_numbers.install(app)  # What is refused has a span as well.
    return app


def _add_health(app: Flask, checks: Mapping[str, Check]) -> None:
    @app.get("/healthz")
    @auth.public
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz")
    @auth.public
    def readyz() -> dict[str, str]:
        if drain.is_draining():
            raise NotReady("draining")
        for dependency, check in checks.items():
            try:
                check()
            except (SQLAlchemyError, OSError) as error:
                log.warning("not_ready", dependency=dependency, error=type(error).__name__)
                raise NotReady(f"{dependency} does not answer") from error
        return {"status": "ready"}


def _add_security_headers(app: Flask) -> None:
    @app.after_request
    def secure(response: Response) -> Response:
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        if "Authorization" in request.headers:
            # What one caller may see is nothing for a shared cache (RFC 9111 §5.2.2.5).
            response.headers.setdefault("Cache-Control", "no-store")
        return response


def _add_request_log(app: Flask) -> None:
    @app.before_request
    def start_clock() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def log_request(response: Response) -> Response:
        if request.path not in {"/healthz", "/readyz"}:
            log.info(
                "request",
                method=request.method,
                route=request.url_rule.rule if request.url_rule else None,
                status=response.status_code,
                duration_ms=round((time.perf_counter() - g.started) * 1000, 1)
                if "started" in g
                else None,
            )
        return response
