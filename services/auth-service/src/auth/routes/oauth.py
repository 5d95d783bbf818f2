"""For services, ours and others': their own tokens (RFC 6749 §4.4), and the keys to verify by."""

from collections.abc import Callable, Mapping
from hmac import compare_digest
from typing import Final

import common.bodies
from common import auth
from common.auth import SERVICE_TOKEN_LIFETIME, Caller, Role
from common.card_numbers import refuse_card_numbers
from flask import Blueprint, Response, request

from auth.domain import (
    FormExpected,
    InvalidClient,
    InvalidScope,
    MalformedTokenRequest,
    UnsupportedGrantType,
)
from auth.routes import bodies
from auth.routes.bodies import Issue
from auth.use_cases.derived_secrets import digest

FORM: Final = "application/x-www-form-urlencoded"
# A verifier that heeds this has a new key well before it signs (domain.Rotation.ahead).
KEYS_FRESH_S: Final = 60

Published = Callable[[], dict[str, list[dict[str, str]]]]


def oauth(clients: Mapping[str, frozenset[bytes]], issue: Issue, published: Published) -> Blueprint:
    """clients: the digests of each one's secrets. published: the JWK set."""
    blueprint = Blueprint("oauth", __name__)

    @blueprint.post("/oauth2/token")
    @auth.public
    def grant_token() -> Response:
        client = _authenticate(clients)
        _check_request()
        return bodies.secret(
            bodies.access_token(issue, Caller(client, Role.SERVICE), SERVICE_TOKEN_LIFETIME)
        )

    @blueprint.get("/.well-known/jwks.json")
    @auth.public
    def publish_keys() -> Response:
        fresh = {"Cache-Control": f"public, max-age={KEYS_FRESH_S}"}
        return common.bodies.answer(published(), headers=fresh)

    @blueprint.after_request
    def name_the_scheme(response: Response) -> Response:
        if response.status_code == 401:
            response.headers["WWW-Authenticate"] = 'Basic realm="cartwright"'  # RFC 6749 §5.2
        return response

    return blueprint


def _authenticate(clients: Mapping[str, frozenset[bytes]]) -> str:
    """The client that the request's Basic credentials are of. Raises InvalidClient."""
    given = request.authorization
    if given is None or given.type != "basic" or not given.username:
        raise InvalidClient("identify yourself by HTTP Basic", error="invalid_client")
    presented = digest(given.password or "")
    expected = clients.get(given.username, frozenset())
    if not any(compare_digest(presented, one) for one in expected):
        raise InvalidClient(error="invalid_client")
    return given.username


def _check_request() -> None:
    """Raises FormExpected, CardNumberRefused, MalformedTokenRequest, UnsupportedGrantType,
    InvalidScope.

    `error` is the code of RFC 6749 §5.2, for clients that look for one.
    """
    if request.mimetype != FORM:
        raise FormExpected(f"send Content-Type: {FORM}")
    refuse_card_numbers(*request.form, *request.form.values())
    for name, values in request.form.lists():
        if len(values) > 1:
            raise MalformedTokenRequest(
                "a parameter occurs twice", error="invalid_request", parameter=name[:50]
            )
    if not request.form.get("grant_type"):
        raise MalformedTokenRequest("grant_type is missing", error="invalid_request")
    if request.form["grant_type"] != "client_credentials":
        raise UnsupportedGrantType(error="unsupported_grant_type")
    if request.form.get("scope"):
        raise InvalidScope(error="invalid_scope")
