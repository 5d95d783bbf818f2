"""Which access tokens are believed: those issued here, and no forgery."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import orjson
import pytest
from common import auth
from common.ids import new_id
from common.testing import JWT_SECRET
from flask.testing import FlaskClient
from werkzeug.test import TestResponse


def problem(response: TestResponse) -> tuple[int, str]:
    assert response.content_type == "application/problem+json"
    return response.status_code, response.get_json()["type"]


def forged(secret: str = JWT_SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    now = datetime.now(UTC)
    claims = {
        "iss": auth.ISSUER, "aud": auth.AUDIENCE, "sub": "ana", "role": "customer",
        "iat": now, "nbf": now, "exp": now + timedelta(minutes=5), "jti": new_id(),
    }  # fmt: skip
    claims |= changes
    return jwt.encode({k: v for k, v in claims.items() if v is not None}, secret, algorithm)


def unsigned(algorithm: str) -> str:
    _, claims, _ = forged().split(".")
    header = base64.urlsafe_b64encode(orjson.dumps({"alg": algorithm, "typ": "JWT"}))
    return f"{header.rstrip(b'=').decode()}.{claims}."


def test_the_token_made_here_passes(client: FlaskClient) -> None:
    """The control of the refusals below: only what they change makes them fail."""
    me = client.get("/me", headers={"Authorization": f"Bearer {forged()}"})

    assert me.status_code == 200


@pytest.mark.parametrize(
    "token",
    [
        unsigned("none"),
        unsigned("None"),
        unsigned("HS256"),
        forged(aud="another shop"),
        forged(aud=None),
        forged(iss="somebody else"),
        forged(exp=datetime.now(UTC) - timedelta(seconds=10)),
        forged(exp=None),
        forged(nbf=datetime.now(UTC) + timedelta(hours=1)),
        forged(secret="a secret that somebody else has chosen"),
        forged(secret=JWT_SECRET * 2, algorithm="HS512"),
        forged(role="emperor"),
        forged(sub=None),
        forged(jti=None),
        forged()[:-2],
        "a.b.c",
        "",
    ],
    ids=[
        "alg none", "alg None", "no signature", "wrong audience", "no audience",
        "wrong issuer", "expired", "no expiry", "not yet valid", "other key",
        "other algorithm", "unknown role", "no subject", "no id", "cut off", "garbage", "empty",
    ],
)  # fmt: skip
def test_a_token_that_does_not_hold_is_refused(client: FlaskClient, token: str) -> None:
    response = client.get("/me", headers={"Authorization": f"Bearer {token}"})

    assert problem(response) == (401, "/problems/invalid-token")
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic YTpi", "Bearer a b c"])
def test_without_a_token_nobody_is_anybody(client: FlaskClient, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}

    assert problem(client.get("/me", headers=headers)) == (401, "/problems/invalid-token")
