"""Access tokens: who is calling, and what they may do.

HS256 with a shared secret, for development (RFC 7519, RFC 8725). Every claim is required and
the algorithm is pinned, so `none` and algorithm confusion fail like any other bad signature.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import wraps
from typing import ParamSpec, TypeVar

import jwt
from flask import Flask, current_app, g, request

from common.errors import Forbidden, Unauthenticated
from common.ids import new_id

ISSUER = "cartwright-auth"
AUDIENCE = "cartwright"
ALGORITHM = "HS256"
# Long enough for one checkout; a stolen token is of no use the same evening.
ACCESS_TOKEN_LIFETIME = timedelta(minutes=10)
REQUIRED_CLAIMS = ("iss", "aud", "sub", "exp", "iat", "nbf", "jti", "role")

P = ParamSpec("P")
R = TypeVar("R")


class Role(StrEnum):
    GUEST = "guest"  # shops without an account
    CUSTOMER = "customer"
    STAFF = "staff"  # may write to the catalog and to the stock
    SERVICE = "service"  # one of the seven, calling another


class InvalidToken(Unauthenticated):
    title = "The access token is missing or does not hold"


class NotAllowed(Forbidden):
    title = "Your role may not do this"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever holds a valid token. ``id`` is the customer's, or the service's name."""

    id: str
    role: Role


def issue(secret: str, caller: Caller, *, now: datetime | None = None) -> str:
    """A signed access token for *caller*, valid for ACCESS_TOKEN_LIFETIME from *now*."""
    issued_at = now or datetime.now(UTC)
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": caller.id,
        "role": caller.role,
        "iat": issued_at,
        "nbf": issued_at,
        "exp": issued_at + ACCESS_TOKEN_LIFETIME,
        "jti": new_id(),
    }
    return jwt.encode(claims, secret, ALGORITHM)


def verify(secret: str, token: str) -> Caller:
    """Raises InvalidToken, which never says which check failed."""
    try:
        claims = jwt.decode(
            token,
            secret,
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            audience=AUDIENCE,
            options={"require": list(REQUIRED_CLAIMS)},
        )
        return Caller(claims["sub"], Role(claims["role"]))
    except (jwt.InvalidTokenError, ValueError) as error:
        raise InvalidToken from error


def install(app: Flask, secret: str) -> None:
    """Let *app*'s routes ask `caller()`; the secret stays out of Flask's own config."""
    app.extensions["cartwright.auth"] = secret


def caller() -> Caller:
    """Who sent this request. Raises InvalidToken."""
    if "caller" not in g:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise InvalidToken
        g.caller = verify(current_app.extensions["cartwright.auth"], token.strip())
    found: Caller = g.caller
    return found


def requires(*roles: Role) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Refuse the route to every role but *roles*. Raises InvalidToken, NotAllowed."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            if caller().role not in roles:
                raise NotAllowed(f"this needs one of the roles {', '.join(roles)}")
            return view(*args, **kwargs)

        checked.policy = roles  # type: ignore[attr-defined]
        return checked

    return decorate


def public(view: Callable[P, R]) -> Callable[P, R]:
    """Marks a route that needs no token, so that forgetting to decide is told from deciding."""
    view.policy = ()  # type: ignore[attr-defined]
    return view
