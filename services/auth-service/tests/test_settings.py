"""Which settings let the auth service start."""

from typing import Any

import pytest
from auth.settings import Settings
from common.testing import JWT_SECRET
from pydantic import ValidationError

DATABASE = "postgresql+psycopg2://auth:n0t-known-to-anybody@db/shop"  # pragma: allowlist secret
DIGEST = "ab" * 32
SERVING = {
    "environment": "production",
    "auth_mode": "jwks",
    "auth_secret": "k3" * 16,
    "database_url": f"{DATABASE}?sslmode=require",
    "redis_url": "rediss://:k3k3k3k3k3k3k3k3@cache:6379/0",
}


def settings(**given: Any) -> Settings:
    return Settings(**({"database_url": DATABASE} | given))


def test_the_shared_secret_alone_is_enough_for_development() -> None:
    assert settings(jwt_secret=JWT_SECRET).derivation_secret == JWT_SECRET


def test_production_needs_a_secret_of_its_own_and_no_keys_from_elsewhere() -> None:
    started = settings(**SERVING)

    assert started.derivation_secret == "k3" * 16


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"auth_mode": "jwks"}, "AUTH_SECRET"),
        ({"auth_mode": "jwks", "auth_secret": "x" * 31}, "AUTH_SECRET"),
        (
            {"environment": "production", "auth_mode": "jwks", "auth_secret": "changeme" * 4},
            "AUTH_SECRET is one that everybody knows",
        ),
        ({"environment": "production", "jwt_secret": "x" * 64}, "AUTH_MODE=hs256"),
        (SERVING | {"logins_per_minute_per_account": 100_000}, "ACCOUNT is so high"),
        (SERVING | {"guest_tokens_per_minute_per_address": 100_000}, "ADDRESS is so high"),
        ({"jwt_secret": JWT_SECRET, "service_clients": "cart"}, "SERVICE_CLIENTS"),
        ({"jwt_secret": JWT_SECRET, "service_clients": f"cart:{DIGEST[:-1]}"}, "SERVICE_CLIENTS"),
        ({"jwt_secret": JWT_SECRET, "logins_per_minute_per_account": 0}, "logins_per_minute"),
        ({"jwt_secret": JWT_SECRET, "trusted_proxies": -1}, "trusted_proxies"),
    ],
    ids=[
        "no secret",
        "short",
        "placeholder",
        "hs256",
        "a limit for nobody",
        "guests without end",
        "no digest",
        "half a digest",
        "never",
        "less",
    ],
)
def test_it_does_not_start_with(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        settings(**given)


def test_a_client_may_have_two_secrets() -> None:
    both = settings(jwt_secret=JWT_SECRET, service_clients=f"cart:{DIGEST}, cart:{'cd' * 32}")

    assert both.client_digests == {"cart": {bytes.fromhex(DIGEST), bytes.fromhex("cd" * 32)}}
