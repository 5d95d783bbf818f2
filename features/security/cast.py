"""Everybody who might call: from nobody at all to staff. Holds tokens; decides nothing."""

import base64
import time
import uuid
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import httpx
import jwt
import psycopg2
from harness.process.endpoints import Endpoints
from harness.process.home import Home
from harness.shopper.client import Shopper
from harness.shopper.scenario_shop import ScenarioShop

PASSWORD = "a horse that nobody else rides"  # noqa: S105  Of invented people.
# A service that has a client of its own at the auth service.
CLIENT = "order"
# A fifth of what the shortest of their tokens holds for.
RENEW_AFTER_S = 60.0


class Caller(StrEnum):
    """In the table's order."""

    NOBODY = "nobody"
    GARBAGE = "garbage token"
    GUEST = "guest"
    OTHER = "other customer"
    OWNER = "owner"
    STAFF = "staff"
    SERVICE = "service"


STRANGERS = (Caller.NOBODY, Caller.GARBAGE, Caller.GUEST, Caller.OTHER)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account, at one log-in."""

    id: str
    email: str
    access_token: str
    refresh_token: str


def unsigned(token: str) -> str:
    """The same in every respect, but that nobody has signed it (RFC 8725 §2.1)."""
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode(claims, None, algorithm="none")


class Cast:
    """One of each for as long as the tests take; `fresh` for what ends a log-in or an account's
    password."""

    def __init__(self, shop: ScenarioShop) -> None:
        self._shop = shop
        self._people = {
            Caller.OWNER: self._enrol("owner"),
            Caller.OTHER: self._enrol("other"),
            Caller.STAFF: self._enrol_staff(),
        }
        self._guest, self._service, self._renew_at = "", "", 0.0
        self.renew()

    @property
    def owner(self) -> Person:
        return self._person(Caller.OWNER)[1]

    @property
    def owner_shopper(self) -> Shopper:
        return self._person(Caller.OWNER)[0]

    @property
    def other(self) -> Person:
        return self._person(Caller.OTHER)[1]

    @property
    def staff(self) -> Person:
        return self._person(Caller.STAFF)[1]

    def token(self, caller: Caller) -> str | None:
        """The access token that *caller* shows; None for nobody."""
        if caller in self._people:
            return self._people[caller][1].access_token
        if caller is Caller.GARBAGE:
            return unsigned(self.staff.access_token)
        return {Caller.GUEST: self._guest, Caller.SERVICE: self._service}.get(caller)

    def _person(self, caller: Caller) -> tuple[Shopper, Person]:
        return self._people[caller]

    def renew(self) -> None:
        """Tokens hold for minutes: call it before each test, and before each row of the table.

        Never amid one: a log-in is seen among its owner's sessions, which many a test compares.
        """
        if time.monotonic() < self._renew_at:
            return
        self._renew_at = time.monotonic() + RENEW_AFTER_S
        self._guest = self._shop.shopper("guest").access_token
        self._service = service_token(self._shop.endpoints)
        for caller, (shopper, person) in self._people.items():
            shopper.log_in(person.email, PASSWORD)
            self._people[caller] = shopper, _person(shopper, person.email)

    def fresh(self, caller: Caller) -> str | None:
        """As `token`, but of somebody who is nobody else's owner."""
        if caller in {Caller.OWNER, Caller.OTHER}:
            return self._enrol("fresh")[1].access_token
        return self._enrol_staff()[1].access_token if caller is Caller.STAFF else self.token(caller)

    def log_in_again(self) -> Person:
        """The owner, on another device."""
        shopper = self._shop.shopper("owner")
        shopper.log_in(self.owner.email, PASSWORD)
        return _person(shopper, self.owner.email)

    def refresh_token(self) -> str:
        """Of somebody new: it holds once."""
        return self._enrol("fresh")[1].refresh_token

    def _enrol(self, name: str, role: str = "customer") -> tuple[Shopper, Person]:
        shopper = self._shop.shopper(name)
        email = f"{name}-{uuid.uuid4().hex}@shoppers.example"
        shopper.register(email, PASSWORD)
        if role != "customer":
            _promote(self._shop.endpoints, email, role)
        shopper.log_in(email, PASSWORD)
        return shopper, _person(shopper, email)

    def _enrol_staff(self) -> tuple[Shopper, Person]:
        return self._enrol("staff", role="staff")


def service_token(endpoints: Endpoints) -> str:
    """What the order service gets for its client credentials (RFC 6749 §4.4)."""
    answer = httpx.post(
        f"{endpoints.services['auth']}/oauth2/token",
        data={"grant_type": "client_credentials"},
        headers={"Authorization": client_credentials(endpoints)},
    )
    return str(answer.raise_for_status().json()["access_token"])


def client_credentials(endpoints: Endpoints) -> str:
    """The order service's, as the header of HTTP Basic."""
    secret = Home(Path(endpoints.home)).secrets([f"client-{CLIENT}"])[f"client-{CLIENT}"]
    return "Basic " + base64.b64encode(f"{CLIENT}:{secret}".encode()).decode()


def _person(shopper: Shopper, email: str) -> Person:
    return Person(shopper.id, email, shopper.access_token, shopper.refresh_token)


def _promote(endpoints: Endpoints, email: str, role: str) -> None:
    """As the database's owner does with `python -m auth.worker role`."""
    connection = psycopg2.connect(endpoints.postgres_dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("UPDATE auth.customers SET role = %s WHERE email = %s", (role, email))
            assert cursor.rowcount == 1
    finally:
        connection.close()
