"""Access tokens as they are written: claims, header, signature (RFC 7519, RFC 9068's `typ`)."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from common.auth.callers import Caller
from common.ids import new_id
from common.settings import AUDIENCE, ISSUER

SHARED_ALGORITHM: Final = "HS256"
# RFC 9068 §2.1: no other kind of JWT is mistaken for an access token, nor the other way round.
ACCESS_TOKEN_TYPE: Final = "at+jwt"  # noqa: S105
# Long enough for one checkout; a stolen token is of no use the same evening.
ACCESS_TOKEN_LIFETIME: Final = timedelta(minutes=10)
# Renewed without anybody waiting for it, so it may be shorter still.
SERVICE_TOKEN_LIFETIME: Final = timedelta(minutes=5)


def issue(
    secret: str,
    caller: Caller,
    *,
    now: datetime | None = None,
    lifetime: timedelta = ACCESS_TOKEN_LIFETIME,
) -> str:
    """A token for *caller*, signed with the development secret, valid for *lifetime* from *now*."""
    claims = claims_of(caller, issuer=ISSUER, audience=AUDIENCE, lifetime=lifetime, now=now)
    return jwt.encode(claims, secret, SHARED_ALGORITHM, headers={"typ": ACCESS_TOKEN_TYPE})


def sign(claims: dict[str, Any], key: PrivateKeyTypes, *, algorithm: str, kid: str) -> str:
    """A token of *claims*, signed with a private *key* that verifiers know as *kid*."""
    headers = {"typ": ACCESS_TOKEN_TYPE, "kid": kid}
    return jwt.encode(claims, key, algorithm, headers=headers)  # type: ignore[arg-type]


def claims_of(
    caller: Caller,
    *,
    issuer: str,
    audience: str,
    lifetime: timedelta,
    now: datetime | None = None,
) -> dict[str, Any]:
    """The claims of a token for *caller*, which holds for *lifetime* from *now*."""
    issued_at = now or datetime.now(UTC)
    claims: dict[str, Any] = {
        "iss": issuer,
        "aud": audience,
        "sub": caller.id,
        "role": caller.role,
        "iat": issued_at,
        "nbf": issued_at,
        "exp": issued_at + lifetime,
        "jti": new_id(),
    }
    return claims | ({"sid": caller.session_id} if caller.session_id else {})
