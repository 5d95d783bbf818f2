"""Signing keys: made, published before they sign, retired after their last token; no gap."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import jwt
import pytest
import sqlalchemy as sa
from auth import domain, worker
from auth.app import create_app
from auth.domain import Rotation, SigningKey
from auth.settings import Settings
from auth.use_cases import signing_keys
from auth.use_cases.derived_secrets import DerivedSecrets
from auth.use_cases.signing_keys import Signer
from common import auth
from common.auth import Caller, InvalidToken, Jwks, Role, jwks
from common.db import Database
from common.deadline import TooLate
from common.testing import REDIS_WITHIN_S
from common.testing.deadlines import request_with
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.serving import make_server

SECRET = "another secret of thirty-two bytes or more"
DERIVED = DerivedSecrets(SECRET)
ANA = Caller("ana", Role.CUSTOMER, "s1")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
LIFETIME = timedelta(minutes=10)
ROTATION = Rotation()


def key(kid: str, signs_from: datetime) -> SigningKey:
    return SigningKey(kid, "ES256", "{}", b"", signs_from)


class TestWhen:
    """A key is made three minutes before it signs and goes fifteen after it signed last."""

    OLD, NEW = key("old", NOW - 30 * DAY), key("new", NOW)

    def test_the_newest_that_may_sign_does(self) -> None:
        assert domain.signing([self.OLD, self.NEW], NOW - MINUTE) == self.OLD
        assert domain.signing([self.OLD, self.NEW], NOW) == self.NEW
        assert domain.signing([self.NEW], NOW - MINUTE) is None

    def test_the_first_signs_at_once_and_the_next_is_made_ahead(self) -> None:
        assert domain.next_signs_from([], ROTATION, NOW) == NOW
        assert domain.next_signs_from([self.OLD], ROTATION, NOW - 4 * MINUTE) is None
        assert domain.next_signs_from([self.OLD], ROTATION, NOW - 3 * MINUTE) == NOW
        assert domain.next_signs_from([self.OLD, self.NEW], ROTATION, NOW) is None

    def test_one_made_late_is_still_published_ahead(self) -> None:
        late = NOW + 5 * DAY

        assert domain.next_signs_from([self.OLD], ROTATION, late) == late + 3 * MINUTE

    def test_an_old_one_stays_until_its_tokens_have_expired(self) -> None:
        keys = [self.OLD, self.NEW]

        assert domain.retired(keys, ROTATION, NOW + 14 * MINUTE) == []
        assert domain.retired(keys, ROTATION, NOW + 15 * MINUTE) == ["old"]
        assert domain.retired([self.OLD], ROTATION, NOW + 1000 * DAY) == []

    def test_the_times_fit_those_who_verify(self) -> None:
        assert ROTATION.ahead.total_seconds() > jwks.FRESH_S + signing_keys.LOOK_AGAIN_S + 60
        assert ROTATION.kept > auth.ACCESS_TOKEN_LIFETIME + timedelta(seconds=60)


@pytest.fixture
def load(db: Database) -> Callable[[], list[SigningKey]]:
    return partial(ensure, db)


def ensure(
    db: Database,
    derived: DerivedSecrets = DERIVED,
    rotation: Rotation = ROTATION,
    algorithm: str = "ES256",
    now: datetime | None = None,
) -> list[SigningKey]:
    with db.transaction() as tx:
        return signing_keys.ensure_key(tx, derived, algorithm, rotation, now or datetime.now(UTC))


def signer(load: Callable[[], list[SigningKey]], look_again_s: float = 0.0) -> Signer:
    return Signer(
        load, DERIVED, issuer=auth.ISSUER, audience=auth.AUDIENCE, look_again_s=look_again_s
    )


def kid_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
def test_what_is_signed_is_verified_by_what_is_published(db: Database, algorithm: str) -> None:
    ours = signer(partial(ensure, db, algorithm=algorithm))
    published = jwks.parse(json.dumps(ours.published()).encode())

    token = ours.issue(ANA, LIFETIME)

    assert jwt.get_unverified_header(token)["alg"] == algorithm
    assert auth.verify_by([auth.published_keys(lambda kid: published.get(kid or ""))], token) == ANA
    assert auth.verify_by([auth.published_keys(ours.find)], token) == ANA


def test_private_halves_are_neither_published_nor_stored_in_clear(db: Database) -> None:
    ours = signer(partial(ensure, db))

    (member,) = ours.published()["keys"]

    assert set(member) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    with db.transaction() as tx:
        row = tx.execute(sa.text("SELECT public_jwk, sealed FROM signing_keys")).one()
    assert '"d"' not in row.public_jwk
    assert DERIVED.open(bytes(row.sealed), member["kid"])
    assert DerivedSecrets("x" * 32).open(bytes(row.sealed), member["kid"]) is None


def test_of_many_who_start_at_once_one_makes_the_first_key(db: Database) -> None:
    barrier = threading.Barrier(6)

    def start(_: int) -> str:
        barrier.wait()
        return kid_of(signer(partial(ensure, db)).issue(ANA, LIFETIME))

    with ThreadPoolExecutor(6) as threads:
        kids = set(threads.map(start, range(6)))

    assert len(kids) == 1


def test_keys_take_over_and_go(db: Database) -> None:
    (first,) = ensure(db, now=NOW)
    assert ensure(db, now=NOW + 29 * DAY) == [first]

    both = ensure(db, now=NOW + 30 * DAY - 3 * MINUTE)
    kept = ensure(db, now=NOW + 30 * DAY + 14 * MINUTE)
    left = ensure(db, now=NOW + 30 * DAY + 15 * MINUTE)

    assert [one.signs_from for one in both] == [NOW, NOW + 30 * DAY]
    assert kept == both
    assert left == both[1:]


def test_with_another_secret_a_new_key_signs_and_the_old_ones_still_verify(db: Database) -> None:
    before = signer(partial(ensure, db))
    token = before.issue(ANA, LIFETIME)
    other = DerivedSecrets("y" * 32)

    after = Signer(
        partial(ensure, db, derived=other), other, issuer=auth.ISSUER, audience=auth.AUDIENCE
    )

    new = after.issue(ANA, LIFETIME)
    assert auth.verify_by([auth.published_keys(after.find)], token) == ANA
    assert auth.verify_by([auth.published_keys(after.find)], new) == ANA
    assert kid_of(new) != kid_of(token)


def test_a_compromised_key_verifies_nothing_more(db: Database, jwks_settings: Settings) -> None:
    ours = signer(partial(ensure, db))
    token = ours.issue(ANA, LIFETIME)

    told = worker.rotate_keys(jwks_settings, db, compromised=True)

    new = ours.issue(ANA, LIFETIME)
    assert " signs from " in told
    assert auth.verify_by([auth.published_keys(ours.find)], new) == ANA
    with pytest.raises(InvalidToken):
        auth.verify_by([auth.published_keys(ours.find)], token)


def test_another_threads_look_is_waited_for_as_long_as_our_own_caller_waits() -> None:
    signer = Signer(list, DERIVED, issuer="shop", audience="shop")

    with signer._looking, request_with(left_s=0.01), pytest.raises(TooLate):
        signer.find("k")


def test_without_the_database_the_keys_at_hand_sign_on(db: Database) -> None:
    calls = []

    def load() -> list[SigningKey]:
        calls.append(1)
        if len(calls) > 1:
            raise sa.exc.OperationalError("select", {}, Exception("down"))
        return ensure(db)

    ours = signer(load)

    assert ours.issue(ANA, LIFETIME)
    assert ours.issue(ANA, LIFETIME)
    assert len(calls) > 1


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """*app* behind a real socket; yields its URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_keys_rotate_under_load_without_one_refused_request(db: Database) -> None:
    """Two issuers and three verifiers over HTTP; a new key every second, in the same proportions
    as in production: published for longer than verifiers keep their copy, kept for longer than a
    token lasts, which is longer than the slowest machine takes for what is held here.
    """
    rotation = Rotation(
        ahead=timedelta(seconds=0.6), kept=timedelta(seconds=25), every=timedelta(seconds=1.0)
    )
    issuers = [signer(partial(ensure, db, rotation=rotation), look_again_s=0.05) for _ in range(2)]
    keys_seen: set[str] = set()
    refused: list[str] = []
    verified = [0] * 4
    enough, over = threading.Event(), threading.Event()
    app = Flask("issuer")
    app.add_url_rule("/jwks.json", view_func=issuers[0].published)

    with serving(app) as url:
        verifiers = [
            Jwks(f"{url}/jwks.json", fresh_s=0.2, ask_again_s=0.1, ask_again_after_failure_s=0.1)
            for _ in range(3)
        ]

        def work(number: int) -> None:
            trust = [auth.published_keys(verifiers[number % 3].find)]
            issuer = issuers[number % 2]
            held: list[str] = []
            while not over.is_set():
                held.append(issuer.issue(ANA, timedelta(seconds=20)))
                keys_seen.add(kid_of(held[-1]))
                if len(keys_seen) >= 5:
                    enough.set()
                # Fresh ones, and ones that an older key signed a while ago.
                for token in (held[-1], held[max(0, len(held) - 200)]):
                    try:
                        auth.verify_by(trust, token)
                        verified[number] += 1
                    except (InvalidToken, auth.SigningKeysUnavailable) as error:
                        refused.append(repr(error))

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        enough.wait(30)
        over.set()
        for thread in threads:
            thread.join()

    assert refused == []
    assert len(keys_seen) >= 5
    assert sum(verified) > 1000


@pytest.mark.usefixtures("db", "redis_url")
class TestInJwksMode:
    """The service with keys of its own, from log-in to /me."""

    @pytest.fixture
    def client(self, jwks_settings: Settings) -> FlaskClient:
        clients = "cart:" + "ab" * 32
        return create_app(
            jwks_settings.model_copy(update={"service_clients": clients}),
            redis_timeout_s=REDIS_WITHIN_S,
        ).test_client()

    def test_its_tokens_are_signed_and_verified_by_keys(self, client: FlaskClient) -> None:
        person = {"email": "ana@example.com", "password": "correct horse", "name": "Ana"}
        client.post("/register", json=person)
        person.pop("name")
        tokens = client.post("/login", json=person).get_json()
        published = client.get("/.well-known/jwks.json")

        me = client.get("/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})

        assert me.get_json()["email"] == "ana@example.com"
        assert published.headers["Cache-Control"] == "public, max-age=60"
        keys = jwks.parse(published.data)
        trust = auth.published_keys(lambda kid: keys.get(kid or ""))
        caller = auth.verify_by([trust], tokens["access_token"])
        assert caller == Caller(tokens["customer_id"], Role.CUSTOMER, tokens["session_id"])

    def test_a_token_of_the_development_secret_is_nothing(self, client: FlaskClient) -> None:
        from common.testing import bearer

        assert client.get("/me", headers=bearer(Role.STAFF, "harness")).status_code == 401

    def test_guests_enter_while_the_database_is_away_once_a_key_is_known(
        self, client: FlaskClient
    ) -> None:
        assert client.post("/guest-tokens").status_code == 201

    def test_without_database_and_key_nobody_gets_a_token(self, jwks_settings: Settings) -> None:
        down = jwks_settings.model_copy(
            update={"database_url": SecretStr("postgresql+psycopg2://nobody@/x?host=/nowhere")}
        )
        client = create_app(down).test_client()

        assert client.post("/guest-tokens").status_code == 503
        assert client.get("/.well-known/jwks.json").status_code == 503


def test_with_a_shared_secret_nothing_is_published(client: FlaskClient) -> None:
    response = client.get("/.well-known/jwks.json")

    assert (response.status_code, response.json) == (200, {"keys": []})


def test_the_worker_makes_the_key_that_is_due(db: Database, jwks_settings: Settings) -> None:
    assert worker.turn_over_keys(jwks_settings, db) == 0

    assert len(ensure(db)) == 1
