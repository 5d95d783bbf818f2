"""What is sent to us and what we answer, member by member."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated

import common.bodies
from common import addresses
from common.auth import Caller
from flask import Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from auth import domain
from auth.domain import PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, SessionSeen
from auth.use_cases.sessions import Grant

# An access token for that caller and that long.
Issue = Callable[[Caller, timedelta], str]

Email = Annotated[
    str,
    StringConstraints(max_length=addresses.CHARS_MAX),
    AfterValidator(domain.canonical_email),
]
# Said for those who read the schema; `common.bodies` refuses it in any string.
_NO_NUL = r"^[^\x00]*$"
AnyPassword = Annotated[
    SecretStr, Field(max_length=PASSWORD_CHARS_MAX, json_schema_extra={"pattern": _NO_NUL})
]
NewPassword = Annotated[
    SecretStr,
    Field(
        min_length=PASSWORD_CHARS_MIN,
        max_length=PASSWORD_CHARS_MAX,
        json_schema_extra={"pattern": _NO_NUL},
    ),
]
# PostgreSQL takes no NUL, and a mail's header no line break.
Name = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$"
    ),
]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RegistrationIn(_In):
    email: Email
    password: NewPassword
    name: Name


class LoginIn(_In):
    """Too short a password is a wrong one: what would be right is told at registration."""

    email: Email
    password: AnyPassword


class GuestTokenIn(_In):
    """Nothing is asked of a guest."""


class RefreshIn(_In):
    refresh_token: SecretStr = Field(max_length=46, json_schema_extra={"pattern": _NO_NUL})

    def presented(self) -> str:
        return self.refresh_token.get_secret_value()


class PasswordChangeIn(_In):
    current_password: AnyPassword
    new_password: NewPassword


def secret(body: object, status: int = 200) -> Response:
    """*body* as JSON that nobody keeps: a token (RFC 6749 §5.1), or something about a person."""
    return common.bodies.answer(body, status, {"Cache-Control": "no-store"})


def access_token(issue: Issue, caller: Caller, lifetime: timedelta) -> dict[str, object]:
    """The names of RFC 6749 §5.1."""
    return {
        "access_token": issue(caller, lifetime),
        "token_type": "Bearer",
        "expires_in": int(lifetime.total_seconds()),
    }


def session_tokens(
    issue: Issue, grant: Grant, lifetime: timedelta, now: datetime
) -> dict[str, object]:
    return access_token(issue, grant.caller, lifetime) | {
        "customer_id": grant.caller.id,
        "refresh_token": grant.refresh_token,
        "refresh_expires_in": int((grant.expires_at - now).total_seconds()),
        "session_id": grant.caller.session_id,
    }


def session(seen: SessionSeen, caller: Caller) -> dict[str, object]:
    return {
        "session_id": seen.id,
        "user_agent": seen.user_agent,
        "created_at": seen.created_at,
        "last_used_at": seen.last_used_at,
        "expires_at": seen.expires_at,
        "current": seen.id == caller.session_id,
    }
