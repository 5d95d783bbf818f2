"""Keys by HTTP from an issuer that is slow, wrong, away or changing; and Cognito's tokens."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import jwt
import pytest
from common import auth
from common.auth import (
    Caller,
    InvalidToken,
    Jwks,
    Role,
    SigningKeysUnavailable,
    jwks,
)
from common.settings import ServiceSettings
from common.testing.deadlines import Clock, request_with
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from pydantic import SecretStr

POOL_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SHOP_KEY = ec.generate_private_key(ec.SECP256R1())
POOL_JWK = RSAAlgorithm.to_jwk(POOL_KEY.public_key(), as_dict=True) | {
    "kid": "pool+key/1=", "use": "sig", "alg": "RS256",
}  # fmt: skip
SHOP_JWK = ECAlgorithm.to_jwk(SHOP_KEY.public_key(), as_dict=True) | {"kid": "shop", "alg": "ES256"}


class Issuer(ThreadingHTTPServer):
    """Serves one document and counts who asks."""

    daemon_threads = True

    def __init__(self) -> None:
        self.answer: tuple[int, bytes] = (200, b"{}")
        self.location: str | None = None
        self.asked = 0
        self.open = threading.Event()
        self.open.set()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/jwks.json"

    def publish(self, *keys: dict[str, Any]) -> None:
        self.answer = (200, json.dumps({"keys": keys}).encode())


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        issuer = self.server
        assert isinstance(issuer, Issuer)
        issuer.asked += 1
        issuer.open.wait(10)
        status, body = issuer.answer
        self.send_response(status)
        if issuer.location:
            self.send_header("Location", issuer.location)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        server.publish(POOL_JWK)
        yield server
        server.open.set()
        server.shutdown()
        thread.join()


KID = str(POOL_JWK["kid"])


class TestCache:
    def test_one_fetch_serves_many_tokens(self, issuer: Issuer) -> None:
        keys = Jwks(issuer.url)

        found = [keys.find(KID) for _ in range(100)]

        assert all(found)
        assert issuer.asked == 1

    def test_unknown_ids_make_us_ask_rarely(self, issuer: Issuer) -> None:
        keys = Jwks(issuer.url)

        assert [keys.find(f"unknown-{n}") for n in range(100)] == [None] * 100
        assert issuer.asked == 1

    def test_a_new_key_is_found_when_it_is_asked_for(self, issuer: Issuer) -> None:
        keys = Jwks(issuer.url, ask_again_s=0)
        assert keys.find(KID)
        issuer.publish(POOL_JWK, SHOP_JWK)

        assert keys.find("shop")
        assert issuer.asked == 2

    def test_a_removed_key_is_gone_once_the_copy_has_aged(self, issuer: Issuer) -> None:
        keys = Jwks(issuer.url, fresh_s=0, ask_again_s=0)
        assert keys.find(KID)
        issuer.publish(SHOP_JWK)

        assert keys.find(KID) is None

    def test_while_the_issuer_is_away_known_keys_are_believed(self, issuer: Issuer) -> None:
        keys = Jwks(issuer.url, fresh_s=0, ask_again_s=0, ask_again_after_failure_s=0)
        assert keys.find(KID)
        issuer.answer = (500, b"")

        assert keys.find(KID)
        assert issuer.asked == 2

    def test_but_not_for_ever(self, issuer: Issuer) -> None:
        keys = Jwks(issuer.url, fresh_s=0, believed_s=0, ask_again_s=0, ask_again_after_failure_s=0)
        issuer.answer = (500, b"")

        with pytest.raises(SigningKeysUnavailable):
            keys.find(KID)

    def test_a_broken_issuer_is_not_asked_for_every_token(self, issuer: Issuer) -> None:
        keys = Jwks(issuer.url, ask_again_after_failure_s=60)
        issuer.answer = (500, b"")

        for _ in range(50):
            with pytest.raises(SigningKeysUnavailable):
                keys.find(KID)

        assert issuer.asked == 1

    def test_a_slow_issuer_holds_up_one_thread_only(self, issuer: Issuer) -> None:
        keys = Jwks(issuer.url, fresh_s=0, ask_again_s=0)
        assert keys.find(KID)
        issuer.open.clear()

        with ThreadPoolExecutor(8) as threads:
            refreshing = threads.submit(keys.find, KID)
            while issuer.asked < 2:
                continue
            others = [threads.submit(keys.find, KID) for _ in range(100)]
            assert all(other.result(5) for other in others)
            assert not refreshing.done()
            issuer.open.set()
            assert refreshing.result(5)

        assert issuer.asked == 2

    def test_all_who_need_the_first_keys_wait_for_them(self, issuer: Issuer) -> None:
        keys = Jwks(issuer.url)
        issuer.open.clear()

        with ThreadPoolExecutor(8) as threads:
            asking = [threads.submit(keys.find, KID) for _ in range(8)]
            while not issuer.asked:
                continue
            issuer.open.set()
            assert all(one.result(5) for one in asking)

        assert issuer.asked == 1

    def test_redirects_lead_nowhere(self, issuer: Issuer) -> None:
        issuer.answer, issuer.location = (302, b""), issuer.url

        with pytest.raises(SigningKeysUnavailable):
            Jwks(issuer.url).find(KID)
        assert issuer.asked == 1

    @pytest.mark.parametrize(
        "body",
        [
            b"", b"{", b"[]", b"null", b'{"keys": {}}', b'{"keys": []}', b'{"keys": [1, {}]}',
            b'{"keys": "' + b"x" * 70_000 + b'"}',
        ],
        ids=["nothing", "half", "list", "null", "object", "none", "rubbish", "huge"],
    )  # fmt: skip
    def test_what_is_no_key_set_gives_no_keys(self, issuer: Issuer, body: bytes) -> None:
        issuer.answer = (200, body)

        with pytest.raises(SigningKeysUnavailable):
            Jwks(issuer.url).find(KID)


class TestDeadline:
    """An issuer that is asked by requests with more and less time."""

    @pytest.fixture(autouse=True)
    def _clock(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = Clock(monkeypatch)
        self.failure: Exception | None = None
        self.read_s: list[float] = []  # How long each who asked would have waited.
        http = httpx.Client(transport=httpx.MockTransport(self._answer), timeout=auth.jwks.TIMEOUT)
        self.keys = Jwks("http://auth/jwks.json", client=http, ask_again_s=0)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.read_s.append(request.extensions["timeout"]["read"])
        if self.failure:
            raise self.failure
        return httpx.Response(200, json={"keys": [POOL_JWK]})

    def test_the_issuer_is_waited_for_as_long_as_our_own_caller_waits(self) -> None:
        with request_with(left_s=0.25):
            assert self.keys.find(KID)
        assert self.keys.find("another") is None  # A worker, for whom nobody waits.

        assert self.read_s == [0.25, 2.0]

    def test_who_ran_out_of_time_keeps_nobody_else_from_asking(self) -> None:
        self.failure = httpx.ReadTimeout("slow")
        with request_with(left_s=0.25), pytest.raises(SigningKeysUnavailable):
            self.keys.find(KID)
        self.failure = None

        assert self.keys.find(KID)

    @pytest.mark.parametrize(
        ("failure", "left_s"),
        [(httpx.ReadTimeout("slow"), 3.0), (httpx.ConnectError("down"), 0.25)],
        ids=["slow for anybody", "down"],
    )
    def test_what_is_known_to_fail_is_not_asked_again_at_once(
        self, failure: httpx.HTTPError, left_s: float
    ) -> None:
        self.failure = failure

        for _ in range(3):
            with request_with(left_s), pytest.raises(SigningKeysUnavailable):
                self.keys.find(KID)

        assert len(self.read_s) == 1

    def test_without_time_to_ask_for_it_an_unknown_key_is_not_wrong(self) -> None:
        assert self.keys.find(KID)

        for _ in range(3):  # Nor is the issuer asked as often as anybody likes.
            with request_with(left_s=0.25), pytest.raises(SigningKeysUnavailable):
                self.keys.find("new")

        assert self.read_s == [2.0]

    def test_with_no_time_left_nobody_is_asked(self) -> None:
        with request_with(left_s=0), pytest.raises(SigningKeysUnavailable):
            self.keys.find(KID)

        assert self.read_s == []

    def test_a_new_copy_is_left_to_who_has_time_for_it(self) -> None:
        assert self.keys.find(KID)
        self.clock.now_s += jwks.FRESH_S + 1

        with request_with(left_s=0.25):
            assert self.keys.find(KID)
        with request_with(left_s=3):
            assert self.keys.find(KID)

        assert self.read_s == [2.0, 2.0]

    def test_another_threads_fetch_is_waited_for_as_long_as_our_own_caller_waits(self) -> None:
        with (
            self.keys._fetching,
            request_with(left_s=0.01),
            pytest.raises(SigningKeysUnavailable),
        ):
            self.keys.find(KID)


@pytest.mark.parametrize(
    "member",
    [
        {"kty": "oct", "kid": "k", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"},
        POOL_JWK | {"alg": "HS256"},
        POOL_JWK | {"alg": "none"},
        POOL_JWK | {"alg": "RS512"},
        POOL_JWK | {"use": "enc"},
        POOL_JWK | {"kid": 7},
        RSAAlgorithm.to_jwk(
            rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key(),  # noqa: S505
            as_dict=True,
        ) | {"kid": "weak"},
        ECAlgorithm.to_jwk(SHOP_KEY, as_dict=True) | {"kid": "private"},
        SHOP_JWK | {"crv": "P-192"},
    ],
    ids=["shared", "HS256", "none", "RS512", "secrecy", "kid", "1024 bits", "private", "curve"],
)  # fmt: skip
def test_a_key_that_must_not_verify_is_passed_over(member: dict[str, Any]) -> None:
    keys = jwks.parse(json.dumps({"keys": [member, SHOP_JWK]}).encode())

    assert list(keys) == ["shop"]


POOL = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEf123"
SUBJECT = "5a0b7c1e-0000-4000-8000-000000000001"


def cognito_token(header: dict[str, Any] | None = None, **changes: Any) -> str:
    """An access token as Cognito documents it ("Understanding the access token")."""
    now = datetime.now(UTC)
    claims = {
        "sub": SUBJECT, "cognito:groups": ["regulars"], "iss": POOL, "client_id": "storefront",
        "origin_jti": "o1", "event_id": "e1", "token_use": "access", "scope": "openid",
        "auth_time": int(now.timestamp()), "exp": now + timedelta(minutes=60), "iat": now,
        "jti": "j1", "username": "ana",
    } | changes  # fmt: skip
    return jwt.encode(
        {k: v for k, v in claims.items() if v is not None},
        POOL_KEY,
        "RS256",
        headers={"kid": KID, "typ": None} | (header or {}),
    )


class TestCognito:
    """A service in Cognito's mode, and an issuer that looks like one."""

    @pytest.fixture
    def trusts(self, issuer: Issuer) -> list[auth.Trust]:
        return auth.trusts(
            ServiceSettings(
                database_url=SecretStr("postgresql+psycopg2://order@/shop"),
                auth_mode="cognito",
                cognito_region="eu-central-1",
                cognito_user_pool_id="eu-central-1_AbCdEf123",
                cognito_client_ids="storefront, warehouse",
                cognito_service_client_ids="warehouse",
                cognito_jwks_url=issuer.url,
            )
        )

    def test_whoever_signed_in_is_a_customer(self, trusts: list[auth.Trust]) -> None:
        assert auth.verify_by(trusts, cognito_token()) == Caller(SUBJECT, Role.CUSTOMER)
        ungrouped = cognito_token(**{"cognito:groups": None})
        assert auth.verify_by(trusts, ungrouped) == Caller(SUBJECT, Role.CUSTOMER)

    def test_the_group_staff_is_staff(self, trusts: list[auth.Trust]) -> None:
        staff = cognito_token(**{"cognito:groups": ["regulars", "staff"]})

        assert auth.verify_by(trusts, staff) == Caller(SUBJECT, Role.STAFF)

    def test_an_app_of_ours_that_nobody_signed_in_to_is_a_service(
        self, trusts: list[auth.Trust]
    ) -> None:
        machine = cognito_token(sub="warehouse", client_id="warehouse", username=None)

        assert auth.verify_by(trusts, machine) == Caller("warehouse", Role.SERVICE)

    @pytest.mark.parametrize(
        "token",
        [
            cognito_token(token_use="id", aud="storefront"),
            cognito_token(token_use=None),
            cognito_token(client_id="another app"),
            cognito_token(client_id=None),
            cognito_token(client_id=["storefront"]),
            cognito_token(iss=POOL + "x"),
            cognito_token(iss="https://cognito-idp.us-east-1.amazonaws.com/eu-central-1_AbCdEf123"),
            cognito_token(exp=datetime.now(UTC) - timedelta(minutes=1)),
            cognito_token(exp=None),
            cognito_token(sub=None),
            cognito_token(username=None),
            cognito_token(sub="warehouse", client_id="storefront", username=None),
            cognito_token(**{"cognito:groups": "staff"}),
            cognito_token({"typ": "at+jwt"}),
            cognito_token({"kid": "another"}),
            cognito_token({"jku": "http://127.0.0.1:9/"}),
            cognito_token()[:-3],
        ],
        ids=[
            "id token", "no use", "app", "no app", "apps", "pool", "region", "expired", "endless",
            "nobody", "no name", "no service", "groups", "type", "kid", "jku", "cut",
        ],
    )  # fmt: skip
    def test_any_other_token_is_refused(self, trusts: list[auth.Trust], token: str) -> None:
        with pytest.raises(InvalidToken):
            auth.verify_by(trusts, token)

    def test_a_role_claim_of_its_own_means_nothing(self, trusts: list[auth.Trust]) -> None:
        assert auth.verify_by(trusts, cognito_token(role="staff")).role is Role.CUSTOMER

    def test_beside_it_our_own_guests_and_services_are_believed(self, issuer: Issuer) -> None:
        issuer.publish(SHOP_JWK)
        away = auth.cognito(
            Jwks("http://127.0.0.1:9/jwks.json").find,
            issuer=POOL,
            client_ids=frozenset({"storefront"}),
        )
        trusts = [away, auth.published_keys(Jwks(issuer.url).find)]
        guest = Caller("g1", Role.GUEST)
        claims = auth.claims_of(
            guest, issuer=auth.ISSUER, audience=auth.AUDIENCE, lifetime=timedelta(minutes=1)
        )

        token = auth.sign(claims, SHOP_KEY, algorithm="ES256", kid="shop")

        assert auth.verify_by(trusts, token) == guest
        with pytest.raises(SigningKeysUnavailable):
            auth.verify_by(trusts, cognito_token())


def test_whoever_had_time_for_the_keys_has_learnt_that_none_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, asked = Clock(monkeypatch), list[int]()

    def slow(_request: httpx.Request) -> httpx.Response:
        asked.append(1)
        clock.now_s += 2.0
        raise httpx.ReadTimeout("slow")

    http = httpx.Client(transport=httpx.MockTransport(slow), timeout=jwks.TIMEOUT)
    keys = Jwks("http://auth/jwks.json", client=http)
    for _ in range(2):
        with request_with(left_s=3.0), pytest.raises(SigningKeysUnavailable):
            keys.find("kid")

    assert len(asked) == 1


def test_an_answer_that_was_held_up_is_as_old_as_the_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, published = Clock(monkeypatch), [POOL_JWK]

    def held_up(_request: httpx.Request) -> httpx.Response:
        answer = httpx.Response(200, json={"keys": published})
        if len(published) == 1:
            published.append(SHOP_JWK)
            clock.now_s += jwks.ASK_AGAIN_S
        return answer

    http = httpx.Client(transport=httpx.MockTransport(held_up), timeout=jwks.TIMEOUT)
    keys = Jwks("http://auth/jwks.json", client=http)
    assert keys.find(KID)

    assert keys.find("shop"), "published since"
