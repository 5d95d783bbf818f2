from concurrent.futures import ThreadPoolExecutor
from typing import Any

import common.app
import pytest
from auth import routes
from auth.app import create_app
from auth.clients import Limits
from auth.settings import Settings
from auth.use_cases.derived_secrets import DerivedSecrets
from auth.use_cases.passwords import Passwords
from common import auth
from common.auth import Role
from common.db import Database
from common.ids import new_id
from common.testing import JWT_SECRET, REDIS_WITHIN_S, bearer, published
from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.test import TestResponse

PASSWORD = "correct horse"
ANA = {"email": "ana@example.com", "password": PASSWORD, "name": "Ana"}
LOGINS = 5  # A minute, for one account from one address.
SQL = "'; DROP TABLE customers; --"


def never(*_: object) -> str:
    raise AssertionError("no token is issued here")


def problem(response: TestResponse) -> tuple[int, str]:
    assert response.content_type == "application/problem+json"
    body = response.get_json()
    assert body["status"] == response.status_code
    return response.status_code, body["type"]


def pointers(response: TestResponse) -> list[str]:
    assert problem(response) == (400, "/problems/malformed")
    return [fault["pointer"] for fault in response.get_json()["errors"]]


def register(client: FlaskClient, **changes: Any) -> TestResponse:
    return client.post("/register", json=ANA | changes)


def log_in(
    client: FlaskClient, email: str = "ana@example.com", password: str = PASSWORD, **headers: str
) -> TestResponse:
    return client.post("/login", json={"email": email, "password": password}, headers=headers)


def token_of(response: TestResponse) -> str:
    token: str = response.get_json()["access_token"]
    return token


class TestRegister:
    def test_an_account_is_opened_and_told(self, client: FlaskClient, db: Database) -> None:
        response = register(client, email=" Ana@Example.com ", name=" Ana ")

        assert response.status_code == 201
        body = response.get_json()
        assert body == {
            "customer_id": body["customer_id"], "email": "ana@example.com", "name": "Ana",
        }  # fmt: skip
        assert response.headers["Cache-Control"] == "no-store"
        assert [(e.type, e.subject, e.data) for e in published(db)] == [
            ("customer.registered", body["customer_id"], body)
        ]

    def test_an_address_is_taken_in_any_case(self, client: FlaskClient, db: Database) -> None:
        register(client)

        response = register(client, email="ANA@example.com", name="Another", password="x" * 8)

        assert problem(response) == (409, "/problems/email-taken")
        assert len(published(db)) == 1
        assert log_in(client).status_code == 200

    def test_of_two_at_the_same_time_one_gets_the_address(
        self, client: FlaskClient, db: Database
    ) -> None:
        with ThreadPoolExecutor(2) as threads:
            attempts = [
                threads.submit(register, client.application.test_client()) for _ in range(2)
            ]
            statuses = sorted(attempt.result().status_code for attempt in attempts)

        assert statuses == [201, 409]
        assert len(published(db)) == 1

    @pytest.mark.parametrize(
        ("typed", "kept"),
        [
            ("Ana@MÜLLER.example", "ana@xn--mller-kva.example"),
            ("ЩИ@example.com", "щи@example.com"),
            ("İ" * 21 + "@example.com", "i\u0307" * 21 + "@example.com"),
        ],
    )
    def test_an_address_in_any_script_is_one_account(
        self, client: FlaskClient, typed: str, kept: str
    ) -> None:
        assert register(client, email=typed).get_json()["email"] == kept

        assert register(client, email=kept).status_code == 409
        assert log_in(client, email=kept).status_code == 200

    @pytest.mark.parametrize("password", ["x" * 8, "x" * 128, "паролъ 🫖", SQL, "with\x07bell"])
    def test_any_password_of_8_to_128_characters_will_do(
        self, client: FlaskClient, password: str
    ) -> None:
        assert register(client, password=password).status_code == 201
        assert log_in(client, password=password).status_code == 200

    @pytest.mark.parametrize("name", ["Зоя 🫖", "O'Brien", SQL, "<b>Ana</b>", "x" * 100])
    def test_names_are_kept_as_they_are(self, client: FlaskClient, name: str) -> None:
        register(client, name=name)

        me = client.get("/me", headers={"Authorization": f"Bearer {token_of(log_in(client))}"})

        assert me.get_json()["name"] == name

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"email": ""}, "/email"),
            ({"email": "ana"}, "/email"),
            ({"email": "@example.com"}, "/email"),
            ({"email": "ana@"}, "/email"),
            ({"email": "a na@example.com"}, "/email"),
            ({"email": "ana@example.com\r\nBcc: all@example.com"}, "/email"),
            ({"email": '"ana"<x>@example.com'}, "/email"),
            ({"email": "ana@localhost"}, "/email"),
            ({"email": "a..na@example.com"}, "/email"),
            ({"email": "a" * 243 + "@example.com"}, "/email"),
            ({"email": "İ" * 22 + "@example.com"}, "/email"),  # 66 bytes in lower case.
            ({"email": ["ana@example.com"]}, "/email"),
            ({"email": SQL}, "/email"),
            ({"password": "x" * 7}, "/password"),
            ({"password": "x" * 129}, "/password"),
            ({"password": 12345678}, "/password"),
            ({"password": None}, "/password"),
            ({"name": ""}, "/name"),
            ({"name": "   "}, "/name"),
            ({"name": "x" * 101}, "/name"),
            ({"name": "Ana\nBcc: all@example.com"}, "/name"),
            ({"name": {}}, "/name"),
            ({"role": "staff"}, "/role"),
            ({"customer_id": "1"}, "/customer_id"),
        ],
        ids=lambda value: ascii(value)[:50],
    )
    def test_a_malformed_member_is_named(
        self, client: FlaskClient, db: Database, change: dict[str, Any], pointer: str
    ) -> None:
        assert pointers(register(client, **change)) == [pointer]
        assert published(db) == []

    @pytest.mark.parametrize(
        "body",
        [
            b"", b"{", b"\xff", b'{"email": "\\ud800"}', b'{"email": "a\\u0000"}', b"NaN",
            b'{"email": "ana@example.com", "email": "bob@example.com"}', b"[" * 100_000,
        ],
        ids=lambda body: repr(body[:30]),
    )  # fmt: skip
    @pytest.mark.parametrize("path", ["/register", "/login", "/token/refresh"])
    def test_what_is_no_json_is_malformed(
        self, client: FlaskClient, path: str, body: bytes
    ) -> None:
        response = client.post(path, data=body, content_type="application/json")

        assert problem(response) == (400, "/problems/malformed-json")

    @pytest.mark.parametrize("path", ["/register", "/login", "/token/refresh", "/guest-tokens"])
    def test_what_is_no_json_object_is_malformed(self, client: FlaskClient, path: str) -> None:
        for body in (b"[]", b"null", b"1"):
            assert pointers(client.post(path, data=body, content_type="application/json")) == ["/"]
        assert problem(client.post(path, data=b"{}", content_type="text/plain")) == (
            415, "/problems/json-expected",
        )  # fmt: skip

    @pytest.mark.parametrize("password", ["password", "PASSWORD1", "ana@example.com"])
    def test_a_password_that_everybody_tries_is_refused(
        self, client: FlaskClient, db: Database, password: str
    ) -> None:
        assert problem(register(client, password=password)) == (422, "/problems/common-password")
        assert published(db) == []

    def test_the_eleventh_account_in_a_minute_must_wait(self, client: FlaskClient) -> None:
        for number in range(10):
            register(client, email=f"{number}@example.com")

        response = register(client)

        assert problem(response) == (429, "/problems/too-many-registrations")
        assert 1 <= int(response.headers["Retry-After"]) <= 60

    def test_a_password_is_in_no_answer_and_no_log(
        self, client: FlaskClient, capsys: pytest.CaptureFixture[str]
    ) -> None:
        secret = "swordfish-" + "x" * 10

        answers = [
            register(client, password=secret).text,
            register(client, password=secret, role="staff").text,
            register(client, password=secret + "x" * 120).text,
            log_in(client, password=secret).text,
            log_in(client, password=secret + "!").text,
        ]

        logged = "".join(capsys.readouterr())
        assert logged.count('"event":"request"') == len(answers)
        assert "swordfish" not in "".join(answers) + logged


class TestLogin:
    def test_the_right_password_gets_a_token(self, client: FlaskClient) -> None:
        customer_id = register(client).get_json()["customer_id"]

        response = log_in(client, email="ANA@example.com")

        assert response.status_code == 200
        body = response.get_json()
        assert body == {
            "access_token": body["access_token"], "token_type": "Bearer",
            "expires_in": 600, "customer_id": customer_id,
            "refresh_token": body["refresh_token"], "refresh_expires_in": 14 * 24 * 3600,
            "session_id": body["session_id"],
        }  # fmt: skip
        assert response.headers["Cache-Control"] == "no-store"
        caller = auth.verify(JWT_SECRET, body["access_token"])
        assert (caller.id, caller.role) == (customer_id, Role.CUSTOMER)

    def test_a_wrong_password_and_an_unknown_address_look_the_same(
        self, client: FlaskClient
    ) -> None:
        register(client)

        wrong = log_in(client, password="battery staple")
        unknown = log_in(client, email="bob@example.com")

        assert problem(wrong) == problem(unknown) == (401, "/problems/wrong-credentials")
        assert wrong.data == unknown.data
        assert wrong.headers["WWW-Authenticate"] == "Bearer"

    def test_a_password_passes_from_another_keyboard(self, client: FlaskClient) -> None:
        register(client, password="oﬃce worker")

        assert log_in(client, password="office worker").status_code == 200

    def test_the_sixth_attempt_in_a_minute_must_wait(self, client: FlaskClient) -> None:
        register(client)
        for _ in range(LOGINS):
            assert log_in(client, password="wrong").status_code == 401

        response = log_in(client)

        assert problem(response) == (429, "/problems/too-many-logins")
        assert 1 <= int(response.headers["Retry-After"]) <= 60
        assert response.get_json()["retry_after_s"] == int(response.headers["Retry-After"])
        assert log_in(client, email="bob@example.com").status_code == 401

    def test_spelling_the_address_otherwise_is_no_way_around_the_limit(
        self, client: FlaskClient
    ) -> None:
        for number in range(LOGINS):
            log_in(client, email="ana@example.com" if number % 2 else " ANA@example.com")

        assert log_in(client, email="Ana@Example.com").status_code == 429

    def test_forwarded_addresses_count_only_behind_our_own_proxy(
        self, client: FlaskClient, settings: Settings
    ) -> None:
        behind = settings.model_copy(update={"trusted_proxies": 1})
        behind_proxy = create_app(behind, redis_timeout_s=REDIS_WITHIN_S).test_client()
        for number in range(LOGINS):
            log_in(client, **{"X-Forwarded-For": f"192.0.2.{number}"})

        direct = log_in(client, **{"X-Forwarded-For": "192.0.2.99"})
        forwarded = log_in(behind_proxy, **{"X-Forwarded-For": "192.0.2.99"})

        assert (direct.status_code, forwarded.status_code) == (429, 401)

    @pytest.mark.usefixtures("db")
    def test_without_redis_nobody_logs_in(self, settings: Settings) -> None:
        down = settings.model_copy(update={"redis_url": "unix:///nowhere/redis.sock"})
        client = create_app(down).test_client()
        assert register(client).status_code == 201

        response = log_in(client)

        assert problem(response) == (503, "/problems/login-limit-unavailable")
        assert response.headers["Retry-After"]

    @pytest.mark.usefixtures("redis_url")
    def test_while_all_turns_to_hash_are_taken_one_must_come_again(
        self, db: Database, settings: Settings
    ) -> None:
        passwords, limits = Passwords(), Limits(settings, timeout_s=REDIS_WITHIN_S)
        derived, told = DerivedSecrets(JWT_SECRET), list[str]().extend
        blueprints = [
            routes.customers(db, passwords, limits.count_registration, limits.count_login, told),
            routes.tokens(db, never, derived, passwords, limits, told),
        ]
        client = common.app.create_app("auth", settings, blueprints, {}).test_client()

        with passwords._turn(), passwords._turn():
            registering, logging_in = register(client), log_in(client)

        assert problem(registering) == problem(logging_in) == (503, "/problems/hashing-busy")
        assert logging_in.headers["Retry-After"]

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({"password": PASSWORD}, "/email"),
            ({"email": "ana@example.com"}, "/password"),
            ({"email": "ana", "password": PASSWORD}, "/email"),
            ({"email": "ana@example.com", "password": "x" * 129}, "/password"),
            ({"email": "ana@example.com", "password": 7}, "/password"),
            ({"email": "ana@example.com", "password": PASSWORD, "role": "staff"}, "/role"),
        ],
        ids=lambda value: ascii(value)[:70],
    )
    def test_a_malformed_member_is_named(
        self, client: FlaskClient, body: dict[str, Any], pointer: str
    ) -> None:
        assert pointers(client.post("/login", json=body)) == [pointer]


class TestGuestTokens:
    @pytest.mark.parametrize("body", [b"", b"{}"])
    def test_every_guest_is_somebody_new_of_whom_nothing_is_stored(
        self, client: FlaskClient, db: Database, body: bytes
    ) -> None:
        first, second = (
            client.post("/guest-tokens", data=body, content_type="application/json")
            for _ in range(2)
        )

        assert first.status_code == 201
        caller = auth.verify(JWT_SECRET, token_of(first))
        assert caller.role is Role.GUEST
        assert caller.id == first.get_json()["customer_id"]
        assert first.get_json()["customer_id"] != second.get_json()["customer_id"]
        assert set(first.get_json()) == {
            "access_token", "token_type", "expires_in", "customer_id",
        }  # fmt: skip
        assert published(db) == []

    @pytest.mark.parametrize(("body", "pointer"), [(b'{"role": "staff"}', "/role"), (b"[]", "/")])
    def test_a_guest_chooses_nothing(self, client: FlaskClient, body: bytes, pointer: str) -> None:
        response = client.post("/guest-tokens", data=body, content_type="application/json")

        assert pointers(response) == [pointer]

    def test_guests_need_neither_database_nor_redis(self, settings: Settings) -> None:
        down = settings.model_copy(
            update={
                "database_url": SecretStr("postgresql+psycopg2://nobody@/x?host=/nowhere"),
                "redis_url": "unix:///nowhere/redis.sock",
            }
        )
        client = create_app(down).test_client()

        assert client.post("/guest-tokens", json={}).status_code == 201
        assert problem(register(client)) == (503, "/problems/unavailable")
        assert problem(client.get("/readyz")) == (503, "/problems/not-ready")
        assert client.get("/healthz").status_code == 200


class TestMe:
    def test_a_customer_has_a_name(self, client: FlaskClient) -> None:
        customer_id = register(client).get_json()["customer_id"]

        me = client.get("/me", headers={"Authorization": f"Bearer {token_of(log_in(client))}"})

        assert me.status_code == 200
        assert me.json == {
            "customer_id": customer_id, "role": "customer",
            "email": "ana@example.com", "name": "Ana",
        }  # fmt: skip
        assert me.headers["Cache-Control"] == "no-store"

    @pytest.mark.parametrize("role", [Role.GUEST, Role.STAFF, Role.SERVICE])
    @pytest.mark.parametrize("subject", ["order", new_id(), SQL], ids=["name", "uuid", "sql"])
    def test_others_have_a_role_only(self, client: FlaskClient, role: Role, subject: str) -> None:
        me = client.get("/me", headers=bearer(role, subject))

        assert me.json == {"customer_id": subject, "role": role}


def test_somebody_made_staff_gets_a_token_of_staff(
    client: FlaskClient, db: Database, make_staff: Any
) -> None:
    register(client)
    make_staff("ana@example.com")

    assert auth.verify(JWT_SECRET, token_of(log_in(client))).role is Role.STAFF


@pytest.fixture
def make_staff(database_url: str) -> Any:
    """What the database's owner does by hand; the service's own role may not."""
    import sqlalchemy as sa

    def make(email: str) -> None:
        owner = sa.create_engine(
            sa.make_url(database_url).set(username="postgres"), poolclass=sa.NullPool
        )
        with owner.begin() as connection:
            connection.execute(
                sa.text("UPDATE auth.customers SET role = 'staff' WHERE email = :email"),
                {"email": email},
            )
        owner.dispose()

    return make
