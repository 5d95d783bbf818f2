"""A service's contract as committed, OpenAPI and AsyncAPI, and pages for people to read it by."""

from pathlib import Path
from typing import Any

import orjson
import yaml
from flask import Blueprint, Flask, Response, render_template
from flask_swagger_ui import get_swaggerui_blueprint  # type: ignore[import-untyped]

from common import auth

# Swagger UI, at the address where people look for it first.
PAGE_URL = "/docs"
EVENTS_PAGE_URL = "/docs/events"
# Swagger UI is a program and brings its own style; it may load nothing from elsewhere.
PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; frame-ancestors 'none'"
)
EVENTS_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
# libyaml's, ten times as fast: in Python alone a service spends 0.2 s of its start here.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def install(app: Flask, folder: Path) -> None:
    """Serve *folder*'s `openapi.yaml` and `asyncapi.yaml`, also as JSON, and a page for each.

    Raises OSError or yaml.YAMLError: a service without a readable contract does not start.
    """
    documents = Blueprint("contract", __name__, template_folder="templates")
    _serve(documents, folder, "openapi")
    events = _serve(documents, folder, "asyncapi")

    @documents.get(EVENTS_PAGE_URL)
    @auth.public
    def events_page() -> Response:
        page = render_template("events.html", document=events)
        return Response(page, headers={"Content-Security-Policy": EVENTS_PAGE_POLICY})

    @documents.get("/")
    @auth.public
    def root() -> Response:
        """Whoever opens a service in a browser wants to read what it does."""
        return Response(status=302, headers={"Location": f"{PAGE_URL}/"})

    app.register_blueprint(documents)
    app.register_blueprint(_swagger_ui(app.name))
    for endpoint, view in app.view_functions.items():
        if endpoint.startswith("swagger_ui."):
            auth.public(view)


def read(file: Path) -> Any:
    """What a document says. Raises OSError or yaml.YAMLError."""
    return _parsed(file.read_text(encoding="utf-8"))


def _parsed(text: str) -> Any:
    return yaml.load(text, _LOADER)  # noqa: S506  Safe, both of them.


def _serve(documents: Blueprint, folder: Path, name: str) -> Any:
    """Serve one document in both forms; returns what it says."""
    text = (folder / f"{name}.yaml").read_text(encoding="utf-8")
    content = _parsed(text)
    as_json = orjson.dumps(content)

    @documents.get(f"/{name}.yaml", endpoint=f"{name}_yaml")
    @auth.public
    def in_yaml() -> Response:
        return Response(text, content_type="application/yaml")

    @documents.get(f"/{name}.json", endpoint=f"{name}_json")
    @auth.public
    def in_json() -> Response:
        return Response(as_json, content_type="application/json")

    return content


def _swagger_ui(service: str) -> Blueprint:
    page: Blueprint = get_swaggerui_blueprint(
        PAGE_URL,
        "/openapi.json",
        {"app_name": f"{service}: API", "validatorUrl": None},
        blueprint_name="swagger_ui",
    )

    @page.after_request
    def allow_its_own_scripts(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = PAGE_POLICY
        return response

    return page
