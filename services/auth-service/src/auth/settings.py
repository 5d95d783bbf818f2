"""Everything the auth service reads from its environment. Read once, at start."""

import re
from datetime import timedelta
from typing import ClassVar, Final, Literal, Self

from common.settings import SECRET_BYTES_MIN, ServiceSettings
from pydantic import Field, PositiveInt, SecretStr, model_validator

# `cart:<SHA-256 of its secret, in hexadecimal>`.
_CLIENT: Final = re.compile(r"([a-z][a-z0-9-]{0,62}):([0-9a-f]{64})")


class Settings(ServiceSettings):
    needs_jwks_url: ClassVar[bool] = False  # It has the keys that others fetch from there.

    # How many proxies of ours stand before the service, each adding to X-Forwarded-For.
    # With 0 the header is not believed: anybody can write it, and the limits count by address.
    trusted_proxies: int = Field(default=0, ge=0, le=5)

    # People mistype three or four times; at this rate 10^8 passwords take 38 years.
    logins_per_minute_per_account: PositiveInt = 5  # from one network address
    # A family or a small office behind one address; with it go 20 guesses at 20 accounts.
    logins_per_minute_per_address: PositiveInt = 20
    # From all addresses where the account was never logged in to, together.
    logins_per_hour_per_account: PositiveInt = 60
    registrations_per_minute_per_address: PositiveInt = 10
    guest_tokens_per_minute_per_address: PositiveInt = 60

    # What successors of refresh tokens and the keys that seal signing keys are derived from.
    # With AUTH_MODE=hs256 it may be left out: the shared secret stands in for it.
    auth_secret: SecretStr = SecretStr("")
    signing_algorithm: Literal["ES256", "EdDSA", "RS256"] = "ES256"
    signing_key_days: PositiveInt = 30  # until the next one takes over
    # Which services may have a token for themselves: `cart:<sha256>,order:<sha256>`. One that
    # occurs twice has two secrets, while the first is being replaced by the second.
    service_clients: str = ""

    @property
    def derivation_secret(self) -> str:
        return self.auth_secret.get_secret_value() or self.jwt_secret.get_secret_value()

    @property
    def signing_key_lifetime(self) -> timedelta:
        return timedelta(days=self.signing_key_days)

    @property
    def client_digests(self) -> dict[str, frozenset[bytes]]:
        """The SHA-256 digests of each client's secrets."""
        digests: dict[str, frozenset[bytes]] = {}
        for name, digest in _CLIENT.findall(self.service_clients):
            digests[name] = digests.get(name, frozenset()) | {bytes.fromhex(digest)}
        return digests

    @model_validator(mode="after")
    def _can_issue(self) -> Self:
        if len(self.derivation_secret.encode()) < SECRET_BYTES_MIN:
            raise ValueError(f"AUTH_SECRET has to have {SECRET_BYTES_MIN} bytes or more")
        entries = [entry.strip() for entry in self.service_clients.split(",") if entry.strip()]
        if not all(_CLIENT.fullmatch(entry) for entry in entries):
            raise ValueError("SERVICE_CLIENTS is a list of name:<SHA-256 of its secret>")
        return self
