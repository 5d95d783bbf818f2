"""Access tokens as they are read: nothing in a token chooses how it is checked.

The algorithm comes with the key, never from the header (RFC 8725 §3.1); issuer, audience and type
are ours to say; a header parameter that we do not need is refused unread, so that no `jku`, `x5u`,
`jwk` or `crit` of today or tomorrow leads anywhere.
"""

import base64
import functools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt
import orjson
from jwt import PyJWK

from common import bodies
from common.auth.callers import Caller, InvalidToken, Role
from common.auth.issuer import ACCESS_TOKEN_TYPE, SHARED_ALGORITHM
from common.auth.jwks import SigningKeysUnavailable
from common.settings import AUDIENCE, ISSUER

# Ours are 500 bytes, Cognito's 1,100; more is an attempt to keep us busy.
TOKEN_BYTES_MAX: Final = 8 * 1024
# Clocks that follow NTP differ by milliseconds; five seconds forgive one that does not, quite.
LEEWAY_S: Final = 5
REQUIRED_CLAIMS: Final = ("iss", "aud", "sub", "exp", "iat", "nbf", "jti", "role")
# As Cognito documents its access tokens: no `aud`, no `nbf`, no `typ`.
COGNITO_REQUIRED_CLAIMS: Final = ("iss", "sub", "exp", "iat", "jti", "token_use", "client_id")
COGNITO_TOKEN_USE: Final = "access"  # noqa: S105  Not `id`, whose token is for the app alone.
HEADERS_KNOWN: Final = frozenset({"alg", "typ", "kid"})
# Standard and URL-safe base64, UUIDs, thumbprints; no path, no SQL.
_KID: Final = re.compile(r"[A-Za-z0-9_=+/-]{1,128}")
_COMPACT: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+")

Claims = Mapping[str, Any]
FindKey = Callable[[str | None], PyJWK | None]


@dataclass(frozen=True, slots=True)
class Trust:
    """One issuer whose tokens are believed.

    find_key: the key of that `kid`, if it is this issuer's. types: the `typ` headers allowed; ""
    for none. audience: None where the issuer writes no `aud`. read: who the claims speak of;
    raises ValueError or KeyError.
    """

    issuer: str
    audience: str | None
    find_key: FindKey
    types: frozenset[str]
    required: tuple[str, ...]
    read: Callable[[Claims], Caller]


def verify(secret: str, token: str) -> Caller:
    """Who a token of the development mode speaks of. Raises InvalidToken, which never says why."""
    return verify_by([shared_secret(secret)], token)


def verify_by(trusts: Iterable[Trust], token: str) -> Caller:
    """The same, by the first of *trusts* that knows the token's key.

    Raises SigningKeysUnavailable when the key may be that of an issuer who cannot be asked.
    """
    header = _header(token)
    unavailable = None
    for trust in trusts:
        try:
            key = trust.find_key(header.get("kid"))
        except SigningKeysUnavailable as error:
            unavailable = error
            continue
        if key is not None:
            return _verify(trust, key, header, token)
    raise unavailable or InvalidToken


@functools.lru_cache(maxsize=8)
def shared_secret(secret: str) -> Trust:
    """Trust in whoever knows *secret*: development only, where the harness makes tokens too."""
    if len(secret.encode()) < 32:  # RFC 7518 §3.2: no shorter than the hash.
        raise ValueError("the secret of HS256 has to have at least 32 bytes")
    encoded = base64.urlsafe_b64encode(secret.encode()).rstrip(b"=").decode()
    key = PyJWK({"kty": "oct", "k": encoded}, SHARED_ALGORITHM)
    return Trust(
        ISSUER,
        AUDIENCE,
        lambda kid: None if kid else key,
        frozenset({ACCESS_TOKEN_TYPE, "jwt"}),
        REQUIRED_CLAIMS,
        _ours,
    )


def published_keys(find_key: FindKey, *, issuer: str = ISSUER, audience: str = AUDIENCE) -> Trust:
    """Trust in our auth service's asymmetric keys."""
    return Trust(issuer, audience, find_key, frozenset({ACCESS_TOKEN_TYPE}), REQUIRED_CLAIMS, _ours)


def cognito(
    find_key: FindKey,
    *,
    issuer: str,
    client_ids: frozenset[str],
    service_client_ids: frozenset[str] = frozenset(),
) -> Trust:
    """Trust in a Cognito user pool's access tokens, for our apps *client_ids*.

    Members of the group `staff` are staff; a token of one of *service_client_ids*, which nobody
    signed in for, is that service's; everybody else is a customer.
    """

    def read(claims: Claims) -> Caller:
        client_id, use = claims["client_id"], claims["token_use"]
        if use != COGNITO_TOKEN_USE or client_id not in client_ids:
            raise ValueError("not an access token of ours")
        if "username" not in claims:
            if client_id not in service_client_ids or claims["sub"] != client_id:
                raise ValueError("nobody's token")
            return Caller(client_id, Role.SERVICE)
        groups = claims.get("cognito:groups", [])
        if not isinstance(groups, list):
            raise ValueError("groups are a list")
        return Caller(claims["sub"], Role.STAFF if Role.STAFF in groups else Role.CUSTOMER)

    return Trust(issuer, None, find_key, frozenset({"", "jwt"}), COGNITO_REQUIRED_CLAIMS, read)


def _ours(claims: Claims) -> Caller:
    session_id = claims.get("sid")
    if session_id is not None and not isinstance(session_id, str):
        raise ValueError("a session's id is a string")
    return Caller(claims["sub"], Role(claims["role"]), session_id)


def _header(token: str) -> dict[str, str]:
    """The token's header, when the token has the form that ours and Cognito's have."""
    if len(token) > TOKEN_BYTES_MAX:
        raise InvalidToken
    parts = _COMPACT.fullmatch(token)
    if parts is None:
        raise InvalidToken
    header, _ = (_object(part) for part in parts.groups())
    if not header.keys() <= HEADERS_KNOWN or not all(isinstance(v, str) for v in header.values()):
        raise InvalidToken
    if "kid" in header and not _KID.fullmatch(header["kid"]):
        raise InvalidToken
    return header


def _object(part: str) -> dict[str, Any]:
    """One part of a token as an object that no two parsers read differently."""
    try:
        text = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
        bodies.check(text)
        members = orjson.loads(text)
    except (ValueError, bodies.MalformedJson) as error:
        raise InvalidToken from error
    if not isinstance(members, dict):
        raise InvalidToken
    return members


def _verify(trust: Trust, key: PyJWK, header: dict[str, str], token: str) -> Caller:
    if header.get("typ", "").lower() not in trust.types:
        raise InvalidToken
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            issuer=trust.issuer,
            audience=trust.audience,
            leeway=LEEWAY_S,
            options={
                "require": list(trust.required),
                "verify_aud": trust.audience is not None,
                "strict_aud": trust.audience is not None,  # One audience, not a list of them.
                "enforce_minimum_key_length": True,
            },
        )
        return trust.read(claims)
    except (jwt.PyJWTError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise InvalidToken from error
