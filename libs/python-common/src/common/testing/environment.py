"""Secrets and tokens for tests; none of them opens anything real."""

from common import auth
from common.auth import Caller, Role

JWT_SECRET = "a secret of at least thirty-two bytes, for tests"  # noqa: S105  pragma: allowlist secret


def token(role: Role, subject: str, session_id: str | None = None) -> str:
    return auth.issue(JWT_SECRET, Caller(subject, role, session_id))


def bearer(role: Role, subject: str, session_id: str | None = None) -> dict[str, str]:
    """The header of a request by *subject* in *role*; with *session_id* as after a log-in.

    Without one no test of another service needs Redis: only sessions can be revoked.
    """
    return {"Authorization": f"Bearer {token(role, subject, session_id)}"}
