"""Sessions: rotation of refresh tokens, their reuse, the list, the end of them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from auth import domain, worker
from auth.app import create_app
from auth.domain import Credentials, Customer, InvalidRefreshToken, Judgement, RefreshToken, Session
from auth.settings import Settings
from auth.store import customers
from auth.use_cases import accounts, sessions
from auth.use_cases.derived_secrets import DerivedSecrets, digest
from auth.use_cases.passwords import Passwords
from auth.use_cases.sessions import Grant, Reused
from common import auth
from common.auth import Caller, RevokedSessions, Role
from common.db import Database
from common.ids import new_id
from common.testing import JWT_SECRET, PATIENCE, REDIS_WITHIN_S, bearer
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

PASSWORD = "correct horse"
ANA = {"email": "ana@example.com", "password": PASSWORD, "name": "Ana"}
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
DERIVED = DerivedSecrets(JWT_SECRET)


def problem(response: TestResponse) -> tuple[int, str]:
    return response.status_code, response.get_json()["type"]


def log_in(client: FlaskClient, password: str = PASSWORD, **headers: str) -> dict[str, Any]:
    credentials = {"email": "ana@example.com", "password": password}
    response = client.post("/login", json=credentials, headers=headers)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.get_json()
    return body


def refresh(client: FlaskClient, token: str) -> TestResponse:
    return client.post("/token/refresh", json={"refresh_token": token})


def holder(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


@pytest.fixture
def ana(client: FlaskClient) -> dict[str, Any]:
    """Ana, who has just logged in."""
    assert client.post("/register", json=ANA).status_code == 201
    return log_in(client)


@pytest.fixture
def begin(db: Database) -> Callable[[datetime], Grant]:
    """Opens a session of one customer at a time of one's choice."""
    owner = Credentials(new_id(), "customer", "$argon2id$")
    with db.transaction() as tx:
        accounts.register(tx, Customer(owner.customer_id, "bob@example.com", "Bob"), "$argon2id$")

    def begin_(now: datetime) -> Grant:
        with db.transaction() as tx:
            return sessions.begin(tx, owner, "a browser", DERIVED, now)

    return begin_


def refresh_at(db: Database, token: str, now: datetime) -> Grant | Reused:
    with db.transaction() as tx:
        return sessions.refresh(tx, token, DERIVED, now)


def granted(outcome: Grant | Reused) -> Grant:
    assert isinstance(outcome, Grant)
    return outcome


class TestJudgement:
    """What presenting a token of a generation means, for a session at its third."""

    SESSION = Session("s", "ana", "customer", 3, NOW, b"", NOW + 30 * DAY)

    @pytest.mark.parametrize(
        ("generation", "after", "means"),
        [
            (3, timedelta(0), Judgement.CURRENT),
            (3, 14 * DAY - SECOND, Judgement.CURRENT),
            (3, 14 * DAY, Judgement.OVER),
            (2, timedelta(0), Judgement.REPEATED),
            (2, 20 * SECOND, Judgement.REPEATED),
            (2, 21 * SECOND, Judgement.REUSED),
            (1, timedelta(0), Judgement.REUSED),
            (1, 30 * DAY, Judgement.OVER),
        ],
    )
    def test_it_depends_on_generation_and_time(
        self, generation: int, after: timedelta, means: Judgement
    ) -> None:
        token = RefreshToken("s", generation, NOW + 14 * DAY)

        assert domain.judge(token, self.SESSION, NOW + after) is means


class TestRefresh:
    def test_it_gives_the_next_tokens_of_the_same_session(
        self, client: FlaskClient, ana: dict[str, Any]
    ) -> None:
        response = refresh(client, ana["refresh_token"])

        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "no-store"
        body = response.get_json()
        assert set(body) == set(ana)
        assert body["session_id"] == ana["session_id"]
        assert body["refresh_token"] != ana["refresh_token"]
        caller = auth.verify(JWT_SECRET, body["access_token"])
        assert caller == auth.Caller(ana["customer_id"], Role.CUSTOMER, ana["session_id"])

    def test_a_lost_answer_is_repeated_with_the_same_successor(
        self, client: FlaskClient, ana: dict[str, Any]
    ) -> None:
        first = refresh(client, ana["refresh_token"]).get_json()

        second = refresh(client, ana["refresh_token"]).get_json()

        assert second["refresh_token"] == first["refresh_token"]
        assert refresh(client, second["refresh_token"]).status_code == 200

    def test_a_token_used_twice_apart_ends_the_session(
        self, client: FlaskClient, ana: dict[str, Any]
    ) -> None:
        second = refresh(client, ana["refresh_token"]).get_json()
        third = refresh(client, second["refresh_token"]).get_json()

        stolen = refresh(client, ana["refresh_token"])

        assert problem(stolen) == (401, "/problems/invalid-refresh-token")
        assert problem(refresh(client, third["refresh_token"]))[0] == 401
        assert problem(client.get("/me", headers=holder(third))) == (401, "/problems/invalid-token")
        assert log_in(client)["session_id"] != ana["session_id"]

    def test_after_the_grace_the_token_before_is_a_reuse(
        self, db: Database, begin: Callable[[datetime], Grant]
    ) -> None:
        first = begin(NOW)
        granted(refresh_at(db, first.refresh_token, NOW + SECOND))
        again = granted(refresh_at(db, first.refresh_token, NOW + 21 * SECOND))

        outcome = refresh_at(db, first.refresh_token, NOW + 22 * SECOND)

        assert outcome == Reused(first.caller.session_id or "", first.caller.id)
        with pytest.raises(InvalidRefreshToken):
            refresh_at(db, again.refresh_token, NOW + 23 * SECOND)

    def test_a_session_slides_by_fourteen_days_and_ends_after_thirty(
        self, db: Database, begin: Callable[[datetime], Grant]
    ) -> None:
        first = begin(NOW)
        second = granted(refresh_at(db, first.refresh_token, NOW + 13 * DAY))
        third = granted(refresh_at(db, second.refresh_token, NOW + 26 * DAY))

        assert first.expires_at == NOW + 14 * DAY
        assert second.expires_at == NOW + 27 * DAY
        assert third.expires_at == NOW + 30 * DAY
        with pytest.raises(InvalidRefreshToken):
            refresh_at(db, third.refresh_token, NOW + 30 * DAY)

    def test_an_unused_token_expires(
        self, db: Database, begin: Callable[[datetime], Grant]
    ) -> None:
        first = begin(NOW)

        with pytest.raises(InvalidRefreshToken):
            refresh_at(db, first.refresh_token, NOW + 14 * DAY)

    def test_of_fifty_at_once_all_get_the_same_and_one_family_lives(
        self, client: FlaskClient, ana: dict[str, Any]
    ) -> None:
        def ask(_: int) -> TestResponse:
            own = client.application.test_client()
            while (answer := refresh(own, ana["refresh_token"])).status_code == 503:
                continue  # No connection was free; a client may ask again, and does.
            return answer

        with ThreadPoolExecutor(50) as threads:
            answers = list(threads.map(ask, range(50)))

        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.get_json()["refresh_token"] for answer in answers}) == 1
        alive = client.get("/sessions", headers=holder(ana)).get_json()["sessions"]
        assert [session["session_id"] for session in alive] == [ana["session_id"]]
        assert refresh(client, answers[0].get_json()["refresh_token"]).status_code == 200

    def test_of_a_thief_and_an_owner_at_once_nobody_keeps_the_session(
        self, client: FlaskClient, ana: dict[str, Any]
    ) -> None:
        second = refresh(client, ana["refresh_token"]).get_json()["refresh_token"]
        third = refresh(client, second).get_json()["refresh_token"]

        with ThreadPoolExecutor(2) as threads:
            for token in (ana["refresh_token"], third):
                threads.submit(refresh, client.application.test_client(), token).result()

        assert client.get("/sessions", headers=bearer(Role.CUSTOMER, ana["customer_id"])).json == {
            "sessions": []
        }

    @pytest.mark.parametrize("token", ["", "x", "rt_" + "A" * 43, "' OR true --", "🫖"])
    def test_any_other_token_is_refused(self, client: FlaskClient, token: str) -> None:
        assert problem(refresh(client, token)) == (401, "/problems/invalid-refresh-token")

    def test_an_access_token_is_no_refresh_token_nor_the_other_way_round(
        self, client: FlaskClient, ana: dict[str, Any]
    ) -> None:
        swapped = client.get("/me", headers={"Authorization": f"Bearer {ana['refresh_token']}"})

        assert problem(swapped) == (401, "/problems/invalid-token")
        assert refresh(client, ana["access_token"]).status_code == 400, "it is too long"
        assert refresh(client, ana["access_token"][:46]).status_code == 401

    def test_tokens_are_nowhere_in_the_tables(
        self, client: FlaskClient, db: Database, ana: dict[str, Any]
    ) -> None:
        successor = refresh(client, ana["refresh_token"]).get_json()["refresh_token"]

        with db.transaction() as tx:
            stored = set(tx.execute(sa.text("SELECT hash FROM refresh_tokens")).scalars())
            dump = str(tx.execute(sa.text("SELECT s, t FROM sessions s, refresh_tokens t")).all())
        assert {bytes(one) for one in stored} == {digest(ana["refresh_token"]), digest(successor)}
        assert ana["refresh_token"] not in dump
        assert successor not in dump

    def test_the_role_is_the_one_of_now(
        self, client: FlaskClient, database_url: str, ana: dict[str, Any]
    ) -> None:
        owner = sa.create_engine(
            sa.make_url(database_url).set(username="postgres"), poolclass=sa.NullPool
        )
        with owner.begin() as connection:
            connection.execute(sa.text("UPDATE auth.customers SET role = 'staff'"))
        owner.dispose()

        body = refresh(client, ana["refresh_token"]).get_json()

        assert auth.verify(JWT_SECRET, body["access_token"]).role is Role.STAFF


class TestDerivedSecrets:
    def test_a_successor_needs_the_key_and_the_salt_and_the_token(self) -> None:
        one = DERIVED.successor("rt_x", b"salt")

        assert one == DERIVED.successor("rt_x", b"salt")
        assert one != DERIVED.successor("rt_x", b"tlas")
        assert one != DERIVED.successor("rt_y", b"salt")
        assert one != DerivedSecrets("x" * 32).successor("rt_x", b"salt")
        assert len(one) == len(DERIVED.first_token()) == 46

    def test_what_is_sealed_opens_for_its_own_key_only(self) -> None:
        sealed = DERIVED.seal(b"private", "k1")

        assert DERIVED.open(sealed, "k1") == b"private"
        assert DERIVED.open(sealed, "k2") is None
        assert DerivedSecrets("x" * 32).open(sealed, "k1") is None
        assert b"private" not in sealed


class TestSessions:
    def test_each_login_is_one_and_the_own_is_marked(
        self, client: FlaskClient, ana: dict[str, Any]
    ) -> None:
        phone = log_in(client, **{"User-Agent": "A phone\t" + "x" * 300})

        response = client.get("/sessions", headers=holder(ana))

        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "no-store"
        listed = response.get_json()["sessions"]
        assert [(s["session_id"], s["current"]) for s in listed] == [
            (phone["session_id"], False),
            (ana["session_id"], True),
        ]
        assert listed[0]["user_agent"] == "A phone" + "x" * 193
        assert set(listed[0]) == {
            "session_id", "user_agent", "created_at", "last_used_at", "expires_at", "current",
        }  # fmt: skip

    def test_one_ends_another_device_at_once(
        self, client: FlaskClient, ana: dict[str, Any]
    ) -> None:
        phone = log_in(client)

        response = client.delete(f"/sessions/{phone['session_id']}", headers=holder(ana))

        assert response.status_code == 204
        assert refresh(client, phone["refresh_token"]).status_code == 401
        assert client.get("/me", headers=holder(phone)).status_code == 401
        assert client.get("/me", headers=holder(ana)).status_code == 200
        again = client.delete(f"/sessions/{phone['session_id']}", headers=holder(ana))
        assert problem(again) == (404, "/problems/session-not-found")

    def test_nobody_ends_or_sees_somebody_elses(
        self, client: FlaskClient, ana: dict[str, Any]
    ) -> None:
        for role in (Role.CUSTOMER, Role.STAFF):
            stranger = bearer(role, new_id())

            response = client.delete(f"/sessions/{ana['session_id']}", headers=stranger)

            assert problem(response) == (404, "/problems/session-not-found")
            assert client.get("/sessions", headers=stranger).json == {"sessions": []}
        assert client.get("/me", headers=holder(ana)).status_code == 200

    @pytest.mark.parametrize(
        "session_id", ["x", "%00", "' OR true --", "0190b1c5-0000-7000-8000-000000000001"]
    )
    def test_no_other_id_is_a_session(
        self, client: FlaskClient, ana: dict[str, Any], session_id: str
    ) -> None:
        response = client.delete(f"/sessions/{session_id}", headers=holder(ana))

        assert problem(response) == (404, "/problems/session-not-found")

    @pytest.mark.parametrize("role", [Role.GUEST, Role.SERVICE])
    def test_guests_and_services_have_none(self, client: FlaskClient, role: Role) -> None:
        holder = bearer(role, new_id())

        answers = [
            client.get("/sessions", headers=holder),
            client.delete(f"/sessions/{new_id()}", headers=holder),
            client.post("/logout", headers=holder),
            client.put("/me/password", headers=holder, json={}),
        ]

        assert [problem(answer) for answer in answers] == [(403, "/problems/not-allowed")] * 4

    def test_the_51st_login_ends_the_session_used_least(
        self, db: Database, begin: Callable[[datetime], Grant]
    ) -> None:
        grants = [begin(NOW + n * SECOND) for n in range(50)]
        assert grants[-1].crowded_out == ()
        granted(refresh_at(db, grants[0].refresh_token, NOW + 60 * SECOND))

        last = begin(NOW + 61 * SECOND)

        assert last.crowded_out == (grants[1].caller.session_id,)
        with db.transaction() as tx:
            assert len(sessions.list_live(tx, last.caller, NOW + 62 * SECOND)) == 50

    def test_what_expired_is_forgotten_with_its_tokens(
        self, db: Database, begin: Callable[[datetime], Grant]
    ) -> None:
        begin(datetime.now(UTC) - 40 * DAY)
        begin(datetime.now(UTC))

        assert worker.forget_sessions(db) == 1

        with db.transaction() as tx:
            assert tx.execute(sa.text("SELECT count(*) FROM sessions")).scalar() == 1
            assert tx.execute(sa.text("SELECT count(*) FROM refresh_tokens")).scalar() == 1


class TestLogout:
    def test_it_ends_the_session_here_and_elsewhere(
        self, client: FlaskClient, ana: dict[str, Any], settings: Settings
    ) -> None:
        elsewhere = create_app(settings, redis_timeout_s=REDIS_WITHIN_S).test_client()
        assert client.get("/me", headers=holder(ana)).status_code == 200

        response = client.post("/logout", headers=holder(ana))

        assert (response.status_code, response.data) == (204, b"")
        assert problem(client.get("/me", headers=holder(ana))) == (401, "/problems/invalid-token")
        assert problem(elsewhere.get("/me", headers=holder(ana)))[0] == 401
        assert refresh(client, ana["refresh_token"]).status_code == 401
        assert client.post("/logout", headers=holder(ana)).status_code == 401

    def test_a_token_of_no_session_ends_none(
        self, client: FlaskClient, ana: dict[str, Any]
    ) -> None:
        sessionless = bearer(Role.CUSTOMER, ana["customer_id"])

        assert client.post("/logout", headers=sessionless).status_code == 204
        assert client.get("/me", headers=holder(ana)).status_code == 200

    def test_without_redis_the_refresh_token_still_holds_no_longer(
        self, client: FlaskClient, ana: dict[str, Any], settings: Settings
    ) -> None:
        down = settings.model_copy(update={"redis_url": "unix:///nowhere/redis.sock"})
        elsewhere = create_app(down).test_client()

        assert elsewhere.post("/logout", headers=holder(ana)).status_code == 204
        assert refresh(client, ana["refresh_token"]).status_code == 401
        assert elsewhere.get("/me", headers=holder(ana)).status_code == 401, "it knows by itself"
        assert client.get("/me", headers=holder(ana)).status_code == 200, "until the token expires"


class TestPasswordChange:
    def change(
        self, client: FlaskClient, tokens: dict[str, Any], current: str, new: str
    ) -> TestResponse:
        body = {"current_password": current, "new_password": new}
        return client.put("/me/password", json=body, headers=holder(tokens))

    def test_it_ends_the_other_sessions_and_keeps_this_one(
        self, client: FlaskClient, ana: dict[str, Any]
    ) -> None:
        phone = log_in(client)

        response = self.change(client, ana, PASSWORD, "battery staple")

        assert (response.status_code, response.data) == (204, b"")
        assert refresh(client, phone["refresh_token"]).status_code == 401
        assert client.get("/me", headers=holder(phone)).status_code == 401
        assert refresh(client, ana["refresh_token"]).status_code == 200
        assert log_in(client, "battery staple")

    def test_the_current_password_has_to_be_known(
        self, client: FlaskClient, ana: dict[str, Any]
    ) -> None:
        response = self.change(client, ana, "wrong horse", "battery staple")

        assert problem(response) == (403, "/problems/wrong-password")
        assert log_in(client)

    @pytest.mark.parametrize("new", ["password", "ana@example.com"])
    def test_the_new_one_is_none_that_everybody_tries(
        self, client: FlaskClient, ana: dict[str, Any], new: str
    ) -> None:
        assert problem(self.change(client, ana, PASSWORD, new))[1] == "/problems/common-password"

    def test_guessing_the_current_one_is_limited(
        self, client: FlaskClient, ana: dict[str, Any]
    ) -> None:
        for _ in range(5):
            self.change(client, ana, "wrong horse", "battery staple")

        response = self.change(client, ana, PASSWORD, "battery staple")

        assert problem(response) == (429, "/problems/too-many-logins")

    def test_of_two_at_once_one_changes_it(self, client: FlaskClient, ana: dict[str, Any]) -> None:
        new = ["battery staple one", "battery staple two"]
        with ThreadPoolExecutor(2) as threads:
            answers = [
                threads.submit(self.change, client.application.test_client(), ana, PASSWORD, one)
                for one in new
            ]
            statuses = [answer.result().status_code for answer in answers]

        assert sorted(statuses) == [204, 403]
        assert log_in(client, new[statuses.index(204)])


class TestAChangeWhileAPasswordIsChecked:
    """To check one takes as long as a hash does; meanwhile the shop goes on."""

    @pytest.fixture
    def meanwhile(self, monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
        """What happens, once each, after a password was found right."""
        happens: list[Callable[[], object]] = []
        check = Passwords.check

        def checked(self: Passwords, known: Credentials | None, password: str) -> Credentials:
            owner = check(self, known, password)
            while happens:
                happens.pop()()
            return owner

        monkeypatch.setattr(Passwords, "check", checked)
        return happens

    def test_the_old_password_opens_no_session_after_it_was_changed(
        self,
        client: FlaskClient,
        db: Database,
        ana: dict[str, Any],
        meanwhile: list[Callable[[], object]],
    ) -> None:
        def change() -> None:
            with db.transaction() as tx:
                known = accounts.find_credentials(tx, email=ANA["email"])
                assert known
                caller = Caller(known.customer_id, Role.CUSTOMER, session_id=ana["session_id"])
                accounts.change_password(tx, caller, known, "$argon2id$another", NOW)

        meanwhile.append(change)

        response = client.post("/login", json={"email": ANA["email"], "password": PASSWORD})

        assert problem(response) == (401, "/problems/wrong-credentials")
        with db.transaction() as tx:
            live = tx.execute(sa.text("SELECT id FROM sessions WHERE ended_at IS NULL")).scalars()
            assert [str(id_) for id_ in live] == [ana["session_id"]]

    @pytest.mark.usefixtures("ana")
    def test_nothing_changes_between_the_last_look_and_the_session(self, database_url: str) -> None:
        hasty, owner = Database(database_url), Database(database_url, patience=PATIENCE)
        with owner.transaction() as opening:
            known = customers.find_credentials(opening, email=ANA["email"])
            assert known
            customers.lock_credentials(opening, known.customer_id)

            with pytest.raises(OperationalError, match="lock timeout"), hasty.transaction() as tx:
                customers.replace_password(tx, known, "$argon2id$another")

        with hasty.transaction() as tx:
            assert customers.replace_password(tx, known, "$argon2id$another")
        for database in (hasty, owner):
            database.engine.dispose()

    @pytest.mark.usefixtures("ana")
    def test_a_session_has_the_role_that_its_owner_has_by_then(
        self,
        settings: Settings,
        client: FlaskClient,
        database_url: str,
        meanwhile: list[Callable[[], object]],
    ) -> None:
        url = sa.make_url(database_url).set(username="postgres")
        owner = Database(url.render_as_string(hide_password=False), patience=PATIENCE)
        worker.change_role(settings, owner, "ana@example.com", "staff")
        meanwhile.append(lambda: worker.change_role(settings, owner, "ana@example.com", "customer"))

        token = log_in(client)["access_token"]

        owner.engine.dispose()
        assert auth.verify(JWT_SECRET, token).role is Role.CUSTOMER


def test_a_weak_hash_is_made_strong_by_logging_in(
    client: FlaskClient, db: Database, ana: dict[str, Any]
) -> None:
    from argon2 import PasswordHasher

    weak = PasswordHasher(1, 1024, 1).hash(PASSWORD)
    with db.transaction() as tx:
        tx.execute(sa.text("UPDATE customers SET password_hash = :weak"), {"weak": weak})

    log_in(client)

    with db.transaction() as tx:
        hashed = tx.execute(sa.text("SELECT password_hash FROM customers")).scalar()
    assert str(hashed).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert log_in(client)


def test_sessions_ended_by_a_role_are_told(
    settings: Settings, client: FlaskClient, database_url: str, ana: dict[str, Any]
) -> None:
    url = sa.make_url(database_url).set(username="postgres")
    owner = Database(url.render_as_string(hide_password=False), patience=PATIENCE)

    told = worker.change_role(
        settings, owner, "ana@example.com", "staff", redis_timeout_s=REDIS_WITHIN_S
    )

    owner.engine.dispose()
    assert told == "staff from the next log-in; sessions ended: 1"
    revoked = RevokedSessions(settings.redis_url, timeout_s=REDIS_WITHIN_S)
    assert revoked.contains(ana["session_id"])
    assert refresh(client, ana["refresh_token"]).status_code == 401
    assert auth.verify(JWT_SECRET, log_in(client)["access_token"]).role is Role.STAFF
