"""Secrets and tokens for tests; none of them opens anything real."""

from common import auth
from common.auth import Caller, Role

JWT_SECRET = "a secret of at least thirty-two bytes, for tests"  # noqa: S105  pragma: allowlist secret


def token(role: Role, subject: str) -> str:
    return auth.issue(JWT_SECRET, Caller(subject, role))


def bearer(role: Role, subject: str) -> dict[str, str]:
    """The header of a request by *subject* in *role*."""
    return {"Authorization": f"Bearer {token(role, subject)}"}
