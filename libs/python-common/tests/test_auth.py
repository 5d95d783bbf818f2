"""Every way a token can fail, and that only a good one passes; and who decides about a route."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from common import auth, problems
from common.auth import Caller, Guard, InvalidToken, Role, Trust
from common.testing import JWT_SECRET
from common.testing.environment import TOKEN_LIFETIME
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from flask import Flask
from flask.testing import FlaskClient
from jwt import PyJWK
from jwt.algorithms import get_default_algorithms

ANA = Caller("ana", Role.CUSTOMER)
NOW = datetime.now(UTC)
PAST, FUTURE = NOW - TOKEN_LIFETIME, NOW + TOKEN_LIFETIME
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
PRIVATE: dict[str, tuple[str, PrivateKeyTypes]] = {
    "rsa": ("RS256", RSA_KEY), "ec": ("ES256", EC_KEY), "ed": ("EdDSA", ED_KEY),
}  # fmt: skip


def public(kid: str) -> PyJWK:
    algorithm, key = PRIVATE[kid]
    members = json.loads(get_default_algorithms()[algorithm].to_jwk(key.public_key()))
    return PyJWK(members | {"kid": kid, "alg": algorithm})


PUBLIC = {kid: public(kid) for kid in PRIVATE}
DEVELOPMENT = auth.shared_secret(JWT_SECRET)
PRODUCTION = auth.published_keys(lambda kid: PUBLIC.get(kid or ""))


def claims(**changes: Any) -> dict[str, Any]:
    """Good ones but for *changes*; None leaves a claim out."""
    now = datetime.now(UTC)
    good = {
        "iss": auth.ISSUER, "aud": auth.AUDIENCE, "sub": "ana", "role": "customer",
        "iat": now, "nbf": now, "exp": now + TOKEN_LIFETIME, "jti": "1",
    }  # fmt: skip
    return {k: v for k, v in (good | changes).items() if v is not None}


def shared(
    secret: str | bytes = JWT_SECRET,
    algorithm: str = "HS256",
    headers: dict[str, Any] | None = None,
    **changes: Any,
) -> str:
    given = {"typ": "at+jwt"} | (headers or {})
    return jwt.encode(claims(**changes), secret, algorithm, headers=given)


def signed(kid: str = "ec", headers: dict[str, Any] | None = None, **changes: Any) -> str:
    algorithm, key = PRIVATE[kid]
    given = {"typ": "at+jwt", "kid": kid} | (headers or {})
    if given["kid"] is None:
        del given["kid"]
    return jwt.encode(claims(**changes), key, algorithm, headers=given)  # type: ignore[arg-type]


def part(members: object) -> str:
    text = members if isinstance(members, bytes) else json.dumps(members).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def with_header(token: str, header: object) -> str:
    return f"{part(header)}.{token.partition('.')[2]}"


def signed_text(payload: bytes) -> str:
    """A good signature over claims as they are written here."""
    message = f"{part({'alg': 'HS256', 'typ': 'at+jwt'})}.{part(payload)}"
    algorithm = get_default_algorithms()["HS256"]
    signature = algorithm.sign(message.encode(), JWT_SECRET.encode())
    return f"{message}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def twice(claim: str, first: object) -> bytes:
    whole = {k: int(v.timestamp()) if isinstance(v, datetime) else v for k, v in claims().items()}
    return b"{" + f'"{claim}": {json.dumps(first)}, '.encode() + json.dumps(whole).encode()[1:]


def confused(kid: str) -> str:
    """Signed by HMAC with the public key as the secret, which anybody has."""
    pem = PUBLIC[kid].key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    header = {"alg": "HS256", "typ": "at+jwt", "kid": kid}
    message = f"{part(header)}.{signed(kid).split('.')[1]}".encode()
    signature = get_default_algorithms()["HS256"].sign(message, pem)
    return f"{message.decode()}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


HOSTILE_KIDS = {
    "path": "../../../../dev/null", "sql": "ec' OR '1'='1", "command": "ec|sleep 10",
    "nul": "ec\x00", "url": "https://example.com/k", "long": "k" * 129, "empty": "",
}  # fmt: skip
JWK_OF_MINE = {"kty": "oct", "k": part(b"mine")}

BOTH: dict[str, Callable[[Callable[..., str]], str]] = {
    "wrong audience": lambda make: make(aud="another shop"),
    "audience among others": lambda make: make(aud=[auth.AUDIENCE, "another shop"]),
    "no audience": lambda make: make(aud=None),
    "wrong issuer": lambda make: make(iss="somebody else"),
    "no issuer": lambda make: make(iss=None),
    "expired": lambda make: make(exp=NOW - timedelta(seconds=10)),
    "no expiry": lambda make: make(exp=None),
    "never expires": lambda make: make(exp="never"),
    "not yet valid": lambda make: make(nbf=FUTURE),
    "issued in the future": lambda make: make(iat=FUTURE),
    "another type": lambda make: make(headers={"typ": "refresh+jwt"}),
    "an id token's type": lambda make: make(headers={"typ": "id+jwt"}),
    "no type": lambda make: make(headers={"typ": None}),
    "unknown role": lambda make: make(role="emperor"),
    "two roles": lambda make: make(role=["customer", "staff"]),
    "no role": lambda make: make(role=None),
    "no subject": lambda make: make(sub=None),
    "no id": lambda make: make(jti=None),
    "a session that is no string": lambda make: make(sid=["s1"]),
    "critical header": lambda make: make(headers={"crit": ["exp"], "exp": 1}),
    "a header we do not need": lambda make: make(headers={"cty": "JWT"}),
    "jku": lambda make: make(headers={"jku": "http://127.0.0.1:9/jwks.json"}),
    "jwk": lambda make: make(headers={"jwk": JWK_OF_MINE}),
    "x5u": lambda make: make(headers={"x5u": "http://127.0.0.1:9/cert.pem"}),
    "x5c": lambda make: make(headers={"x5c": ["MIIB"]}),
    "cut signature": lambda make: make()[:-3],
    "no signature": lambda make: make().rpartition(".")[0] + ".",
    "no last part": lambda make: make().rpartition(".")[0],
    "a part more": lambda make: make() + ".e30",
    "junk in the signature": lambda make: make()[:-4] + "!" + make()[-4:],
    "padding": lambda make: make() + "=",
    "white space": lambda make: make().replace(".", ". "),
    "alg none": lambda make: with_header(make(), {"alg": "none", "typ": "at+jwt"}),
    "alg none, unsigned": lambda make: (
        f"{part({'alg': 'none', 'typ': 'at+jwt'})}.{make().split('.')[1]}."
    ),
    "alg None": lambda make: with_header(make(), {"alg": "None", "typ": "at+jwt"}),
    "alg a number": lambda make: with_header(make(), {"alg": 1, "typ": "at+jwt"}),
    "no alg": lambda make: with_header(make(), {"typ": "at+jwt"}),
    "header no object": lambda make: with_header(make(), ["HS256"]),
    "header no JSON": lambda make: with_header(make(), b"\xff\xfe"),
    "header too deep": lambda make: with_header(make(), b"[" * 4000),
    "claims too deep": lambda make: ".".join([make().split(".")[0], part(b"[" * 4000), "AA"]),
    "header twice": lambda make: with_header(
        make(), b'{"alg":"HS256","typ":"at+jwt","alg":"none"}'
    ),
    "huge": lambda make: make(padding="x" * 8192),
    "huge garbage": lambda _: "A" * 1_000_000,
    "empty": lambda _: "",
    "one part": lambda _: "x",
    "dots": lambda _: "..",
    "garbage": lambda _: "a.b.c",
    "beyond ASCII": lambda make: make() + "ž",
}

ONLY_DEVELOPMENT = {
    "other secret": shared("some other secret that is long enough"),
    "other algorithm": shared(JWT_SECRET * 2, "HS512"),
    "duplicate role": signed_text(twice("role", "staff")),
    "duplicate subject": signed_text(twice("sub", "bob")),
    "an endless expiry": signed_text(json.dumps(claims(exp=None, iat=0, nbf=0)).encode()[:-1]
                                     + b', "exp": 1e999}'),
    "expiry NaN": signed_text(json.dumps(claims(exp=None, iat=0, nbf=0)).encode()[:-1]
                              + b', "exp": NaN}'),
    "a kid": shared(headers={"kid": "ec"}),
    "of the other mode": signed("ec"),
}  # fmt: skip

ONLY_PRODUCTION = {
    "unknown kid": signed(headers={"kid": "another"}),
    "no kid": signed(headers={"kid": None}),
    "another's kid": signed("rsa", headers={"kid": "ec"}),
    "another's key under a known kid": jwt.encode(
        claims(), ec.generate_private_key(ec.SECP256R1()), "ES256",
        headers={"typ": "at+jwt", "kid": "ec"},
    ),
    "RS256 key asked to do PS256": jwt.encode(
        claims(), RSA_KEY, "PS256", headers={"typ": "at+jwt", "kid": "rsa"}
    ),
    "plain JWT": signed(headers={"typ": "JWT"}),
    "of the other mode": shared(),
} | {f"confusion with {kid}": confused(kid) for kid in PRIVATE} | {
    f"kid: {name}": signed(headers={"kid": kid}) for name, kid in HOSTILE_KIDS.items()
}  # fmt: skip

ATTACKS = [
    *(pytest.param(DEVELOPMENT, make(shared), id=f"development: {n}") for n, make in BOTH.items()),
    *(pytest.param(PRODUCTION, make(signed), id=f"production: {n}") for n, make in BOTH.items()),
    *(pytest.param(DEVELOPMENT, t, id=f"development: {n}") for n, t in ONLY_DEVELOPMENT.items()),
    *(pytest.param(PRODUCTION, t, id=f"production: {n}") for n, t in ONLY_PRODUCTION.items()),
]


def app_trusting(trust: Trust) -> Flask:
    app = Flask("probe")
    problems.install(app)
    auth.install(app, Guard(lambda token: auth.verify_by([trust], token)))

    @app.get("/me")
    def me() -> dict[str, str]:
        return {"id": auth.caller().id}

    return app


CLIENTS: dict[int, FlaskClient] = {
    id(trust): app_trusting(trust).test_client() for trust in (DEVELOPMENT, PRODUCTION)
}


def get_me(trust: Trust, token: str) -> Any:
    return CLIENTS[id(trust)].get("/me", headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize(
    ("trust", "token"),
    [(DEVELOPMENT, shared()), *((PRODUCTION, signed(kid)) for kid in PRIVATE)],
    ids=["HS256", *PRIVATE],
)
def test_a_good_token_passes(trust: Trust, token: str) -> None:
    """The control of the refusals below: only what they change makes them fail."""
    response = get_me(trust, token)

    assert (response.status_code, response.json) == (200, {"id": "ana"})


@pytest.mark.parametrize(("trust", "token"), ATTACKS)
def test_any_other_token_is_refused_without_a_word(trust: Trust, token: str) -> None:
    response = get_me(trust, token)

    assert response.status_code == 401
    assert response.get_json() == {
        "type": "/problems/invalid-token", "title": InvalidToken.title, "status": 401,
    }  # fmt: skip
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_what_was_issued_verifies() -> None:
    in_a_session = Caller("ana", Role.CUSTOMER, "s1")

    assert auth.verify(JWT_SECRET, auth.issue(JWT_SECRET, ANA)) == ANA
    assert auth.verify(JWT_SECRET, auth.issue(JWT_SECRET, in_a_session)) == in_a_session


def test_clocks_may_differ_a_little() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=3)

    assert auth.verify(JWT_SECRET, auth.issue(JWT_SECRET, ANA, now=soon)) == ANA


def test_a_token_lasts_ten_minutes() -> None:
    now = datetime.now(UTC)
    nearly, over = now - timedelta(minutes=9, seconds=55), now - timedelta(minutes=10, seconds=10)

    assert auth.verify(JWT_SECRET, auth.issue(JWT_SECRET, ANA, now=nearly)) == ANA
    with pytest.raises(InvalidToken):
        auth.verify(JWT_SECRET, auth.issue(JWT_SECRET, ANA, now=over))


@pytest.mark.parametrize("secret", ["", "short", "x" * 31])
def test_a_short_secret_is_none(secret: str) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        auth.shared_secret(secret)


def test_a_route_says_who_may_use_it() -> None:
    @auth.requires(Role.STAFF, Role.SERVICE)
    def restricted() -> None: ...

    @auth.public
    def open_to_all() -> None: ...

    def forgotten() -> None: ...

    assert auth.policy_of(restricted) == (Role.STAFF, Role.SERVICE)
    assert auth.policy_of(open_to_all) == ()
    assert auth.policy_of(forgotten) is None


def test_a_revoked_session_is_refused_and_only_that() -> None:
    app = Flask("probe")
    problems.install(app)
    auth.install(app, Guard(lambda token: auth.verify(JWT_SECRET, token), {"s1"}.__contains__))
    app.add_url_rule("/me", view_func=auth.requires(Role.CUSTOMER)(dict))
    client = app.test_client()

    statuses = [
        client.get(
            "/me",
            headers={
                "Authorization": "Bearer "
                + auth.issue(JWT_SECRET, Caller("ana", Role.CUSTOMER, session))
            },
        ).status_code
        for session in ("s1", "s2", None)
    ]

    assert statuses == [401, 200, 200]
