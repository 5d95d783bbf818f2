"""Access tokens: who is calling, and what they may do (ADR-0009).

Development signs with a shared secret (HS256); production verifies with published keys, our own
auth service's or Cognito's. Nothing here stores anything.
"""

from common.auth.callers import Caller, InvalidToken, NotAllowed, Role
from common.auth.guards import Guard, caller, install, policy_of, public, requires
from common.auth.issuer import (
    ACCESS_TOKEN_LIFETIME,
    ACCESS_TOKEN_TYPE,
    SERVICE_TOKEN_LIFETIME,
    claims_of,
    issue,
    sign,
)
from common.auth.jwks import Jwks, SigningKeysUnavailable
from common.auth.modes import trusts
from common.auth.revocation import RevokedSessions
from common.auth.service_token import ServiceToken, ServiceTokenUnavailable, service_token
from common.auth.verifier import (
    REQUIRED_CLAIMS,
    Trust,
    cognito,
    published_keys,
    shared_secret,
    verify,
    verify_by,
)
from common.settings import AUDIENCE, ISSUER

__all__ = [
    "ACCESS_TOKEN_LIFETIME",
    "ACCESS_TOKEN_TYPE",
    "AUDIENCE",
    "ISSUER",
    "REQUIRED_CLAIMS",
    "SERVICE_TOKEN_LIFETIME",
    "Caller",
    "Guard",
    "InvalidToken",
    "Jwks",
    "NotAllowed",
    "RevokedSessions",
    "Role",
    "ServiceToken",
    "ServiceTokenUnavailable",
    "SigningKeysUnavailable",
    "Trust",
    "caller",
    "claims_of",
    "cognito",
    "install",
    "issue",
    "policy_of",
    "public",
    "published_keys",
    "requires",
    "service_token",
    "shared_secret",
    "sign",
    "trusts",
    "verify",
    "verify_by",
]
