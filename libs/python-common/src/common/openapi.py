"""A service's OpenAPI document, as committed, and a page for people to read it by."""

from pathlib import Path

import orjson
import yaml
from flask import Blueprint, Flask, Response
from flask_swagger_ui import get_swaggerui_blueprint  # type: ignore[import-untyped]

from common import auth

JSON_URL = "/openapi.json"
YAML_URL = "/openapi.yaml"
PAGE_URL = "/docs"
# Swagger UI is a program and brings its own style; it may load nothing from elsewhere.
PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; frame-ancestors 'none'"
)


def install(app: Flask, contract: Path) -> None:
    """Serve *contract*/openapi.yaml at JSON_URL and YAML_URL, and Swagger UI at PAGE_URL.

    Raises OSError or yaml.YAMLError: a service without a readable contract does not start.
    """
    text = (contract / "openapi.yaml").read_text(encoding="utf-8")
    document = orjson.dumps(yaml.safe_load(text))

    @app.get(JSON_URL)
    @auth.public
    def openapi_json() -> Response:
        return Response(document, content_type="application/json")

    @app.get(YAML_URL)
    @auth.public
    def openapi_yaml() -> Response:
        return Response(text, content_type="application/yaml")

    page: Blueprint = get_swaggerui_blueprint(
        PAGE_URL, JSON_URL, {"app_name": f"{app.name}: API", "validatorUrl": None}
    )

    @page.after_request
    def allow_its_own_scripts(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = PAGE_POLICY
        return response

    app.register_blueprint(page)
    for endpoint, view in app.view_functions.items():
        if endpoint.startswith(f"{page.name}."):
            auth.public(view)
