"""Every way a token can fail, and that only a good one passes."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import orjson
import pytest
from common import auth
from common.auth import Caller, InvalidToken, Role
from common.testing import JWT_SECRET

ANA = Caller("ana", Role.CUSTOMER)


def forge(secret: str = JWT_SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    now = datetime.now(UTC)
    claims = {
        "iss": auth.ISSUER, "aud": auth.AUDIENCE, "sub": "ana", "role": "customer",
        "iat": now, "nbf": now, "exp": now + timedelta(minutes=5), "jti": "1",
    }  # fmt: skip
    claims |= changes
    return jwt.encode({k: v for k, v in claims.items() if v is not None}, secret, algorithm)


def unsigned() -> str:
    _, claims, _ = forge().split(".")
    none = base64.urlsafe_b64encode(orjson.dumps({"alg": "none", "typ": "JWT"})).rstrip(b"=")
    return f"{none.decode()}.{claims}."


def test_what_was_issued_verifies() -> None:
    assert auth.verify(JWT_SECRET, auth.issue(JWT_SECRET, ANA)) == ANA


PAST = datetime.now(UTC) - timedelta(hours=1)
FUTURE = datetime.now(UTC) + timedelta(hours=1)


@pytest.mark.parametrize(
    "token",
    [
        "", "x", "a.b.c", unsigned(),
        forge(secret="some other secret that is long enough"),
        forge(algorithm="HS512", secret=JWT_SECRET * 2),
        forge(aud="another shop"), forge(iss="somebody else"), forge(exp=PAST), forge(nbf=FUTURE),
        forge(role="emperor"), forge(sub=None), forge(exp=None), forge(role=None), forge(jti=None),
    ],
    ids=[
        "empty", "one part", "garbage", "alg none", "other key", "other algorithm", "audience",
        "issuer", "expired", "not yet valid", "unknown role", "no subject", "no expiry", "no role",
        "no id",
    ],
)  # fmt: skip
def test_any_other_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidToken):
        auth.verify(JWT_SECRET, token)
