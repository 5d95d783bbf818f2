"""Access tokens that the harness makes for itself: staff, for seeding and for looking.

Only where the harness knows the development secret, i.e. on stacks it started. The claims are
those of the auth service's contract.
"""

import uuid
from datetime import UTC, datetime, timedelta

import jwt

LIFETIME = timedelta(minutes=10)  # as the auth service's own


def staff_token(jwt_secret: str, *, name: str = "harness") -> str:
    """A token of role ``staff`` with subject *name*."""
    now = datetime.now(UTC)
    claims = {
        "iss": "cartwright-auth",
        "aud": "cartwright",
        "sub": name,
        "role": "staff",
        "iat": now,
        "nbf": now,
        "exp": now + LIFETIME,
        "jti": str(uuid.uuid4()),
    }
    return jwt.encode(claims, jwt_secret, "HS256")
