"""Secrets and tokens for tests; none of them opens anything real."""

from datetime import timedelta
from typing import Final

from common import auth
from common.auth import Caller, Role

JWT_SECRET = "a secret of at least thirty-two bytes, for tests"  # noqa: S105  pragma: allowlist secret
# Many are made when a module of tests is read: longer than any run of them, on any machine.
TOKEN_LIFETIME: Final = timedelta(hours=12)


def token(role: Role, subject: str, session_id: str | None = None) -> str:
    return auth.issue(JWT_SECRET, Caller(subject, role, session_id), lifetime=TOKEN_LIFETIME)


def bearer(role: Role, subject: str, session_id: str | None = None) -> dict[str, str]:
    """The header of a request by *subject* in *role*; with *session_id* as after a log-in.

    Without one no test of another service needs Redis: only sessions can be revoked.
    """
    return {"Authorization": f"Bearer {token(role, subject, session_id)}"}
