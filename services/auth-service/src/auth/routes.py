"""HTTP in, HTTP out. Parses, hashes, opens the transaction, calls one use case, renders."""

from collections.abc import Callable
from typing import Annotated

import orjson
from common import auth
from common.auth import Role
from common.db import Database
from common.ids import new_id
from flask import Blueprint, Response, request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from auth import domain, use_cases
from auth.domain import EMAIL_CHARS_MAX, PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, Customer
from auth.use_cases import AccessToken, Passwords

# What a browser's <input type=email> takes (HTML Living Standard, "valid email address"):
# no quotes, no comments, nothing that means something in a mail's header.
_DOMAIN_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_EMAIL_PATTERN = rf"^[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_DOMAIN_LABEL}(?:\.{_DOMAIN_LABEL})*$"

Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=EMAIL_CHARS_MAX, pattern=_EMAIL_PATTERN),
    AfterValidator(domain.canonical_email),
]
# PostgreSQL takes no NUL, and a mail's header no line break.
Name = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$"
    ),
]


class RegistrationIn(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    email: Email
    password: SecretStr = Field(min_length=PASSWORD_CHARS_MIN, max_length=PASSWORD_CHARS_MAX)
    name: Name


class LoginIn(BaseModel):
    """Too short a password is a wrong one: what would be right is told at registration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    email: Email
    password: SecretStr = Field(max_length=PASSWORD_CHARS_MAX)


class GuestTokenIn(BaseModel):
    """Nothing is asked of a guest."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def customers(db: Database, passwords: Passwords) -> Blueprint:
    """Having an account."""
    blueprint = Blueprint("customers", __name__)

    @blueprint.post("/register")
    def register() -> Response:
        body = RegistrationIn.model_validate_json(request.get_data())
        customer = Customer(new_id(), body.email, body.name)
        password_hash = passwords.hash(body.password.get_secret_value())
        with db.transaction() as tx:
            use_cases.register(tx, customer, password_hash)
        known = {"customer_id": customer.id, "email": customer.email, "name": customer.name}
        return _json(known, 201)

    @blueprint.get("/me")
    def describe() -> Response:
        caller = auth.caller()
        with db.transaction() as tx:
            known = use_cases.describe(tx, caller)
        return _json(known)

    return blueprint


def tokens(
    db: Database, secret: str, passwords: Passwords, count_login: Callable[[str, str], None]
) -> Blueprint:
    """Getting an access token.

    secret: what tokens are signed with. count_login: takes the e-mail address and the network
        address of an attempt; raises TooManyLogins, LoginLimitUnavailable.
    """
    blueprint = Blueprint("tokens", __name__)

    @blueprint.post("/login")
    def log_in() -> Response:
        body = LoginIn.model_validate_json(request.get_data())
        count_login(body.email, request.remote_addr or "")
        with db.transaction() as tx:
            credentials = use_cases.find_credentials(tx, body.email)
        owner = passwords.check(credentials, body.password.get_secret_value())
        return _json(_render(use_cases.issue_token(secret, owner.customer_id, Role(owner.role))))

    @blueprint.post("/guest-tokens")
    def enter_as_guest() -> Response:
        GuestTokenIn.model_validate_json(request.get_data() or b"{}")
        return _json(_render(use_cases.issue_token(secret, new_id(), Role.GUEST)), 201)

    return blueprint


def _render(token: AccessToken) -> dict[str, object]:
    """The names of RFC 6749 §5.1."""
    return {
        "access_token": token.token,
        "token_type": "Bearer",
        "expires_in": token.expires_in_s,
        "customer_id": token.customer_id,
    }


def _json(body: dict[str, object] | dict[str, str], status: int = 200) -> Response:
    response = Response(orjson.dumps(body), status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"  # RFC 6749 §5.1, and it is about a person.
    return response
