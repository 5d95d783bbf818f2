"""Which settings let a service start, and that none of them is shown when they do not."""

from typing import Any, ClassVar

import pytest
from common.settings import ServiceSettings
from common.testing import JWT_SECRET
from pydantic import SecretStr, ValidationError

DATABASE = "postgresql+psycopg2://order:n0t-known-to-anybody@db/shop"  # pragma: allowlist secret
GOOD = {
    "environment": "production",
    "database_url": f"{DATABASE}?sslmode=verify-full",
    "auth_mode": "jwks",
    "jwks_url": "https://auth.internal/.well-known/jwks.json",
    "service_client_secret": "k3" * 16,
    "redis_url": "rediss://:k3k3k3k3k3k3k3k3@cache:6379/0",
}


def database(role: str = "order", secret: str = "k3" * 8, query: str = "?sslmode=require") -> str:
    return f"postgresql+psycopg2://{role}:{secret}@db/shop{query}"


class OfAService(ServiceSettings):
    calls_neighbours: ClassVar[bool] = True

    webhook_secret: SecretStr = SecretStr("whsec_cartwright")  # pragma: allowlist secret


def test_the_secret_alone_is_enough_for_development() -> None:
    settings = ServiceSettings(database_url=SecretStr("x"), jwt_secret=SecretStr(JWT_SECRET))

    assert (settings.environment, settings.auth_mode) == ("development", "hs256")


def test_production_starts_with_keys_and_secrets_of_its_own() -> None:
    assert OfAService(**(GOOD | {"webhook_secret": "x9" * 16})).environment == "production"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"auth_mode": "hs256", "jwt_secret": "x" * 64}, "AUTH_MODE=hs256"),
        ({"jwks_url": "http://auth.internal/jwks.json"}, "JWKS_URL is not https"),
        ({"service_client_secret": "short"}, "SERVICE_CLIENT_SECRET is shorter"),
        ({"service_client_secret": "changeme" * 8}, "SERVICE_CLIENT_SECRET is one that everybody"),
        ({"jwt_secret": "secret" * 8}, "JWT_SECRET is one that everybody"),
        ({"webhook_secret": "whsec_cartwright"}, "WEBHOOK_SECRET is one that everybody"),
        ({"database_url": database(secret="password-of-everybody")}, "that everybody knows"),
        ({"database_url": database(secret="x")}, "DATABASE_URL has a password of less than 16"),
        ({"database_url": "postgresql+psycopg2://order@db/shop"}, "of less than 16 characters"),
        ({"database_url": database(role="postgres")}, "DATABASE_URL names the superuser"),
        ({"database_url": database(query="")}, "DATABASE_URL needs sslmode=require"),
        ({"database_url": database(query="?sslmode=prefer")}, "needs sslmode=require"),
        ({"redis_url": "redis://:k3k3k3k3k3k3k3k3@cache:6379/0"}, "REDIS_URL is not rediss"),
        ({"redis_url": "rediss://cache:6379/0"}, "REDIS_URL has no password"),
        ({"aws_endpoint_url": "http://localhost:4566"}, "AWS_ENDPOINT_URL is not https"),
        ({"service_client_secret": ""}, "SERVICE_CLIENT_SECRET is needed"),
        ({"webhook_secret": "x9" * 16 + ",test" * 5}, "WEBHOOK_SECRET is one that everybody"),
        (
            {
                "auth_mode": "cognito", "cognito_region": "r", "cognito_user_pool_id": "p",
                "cognito_client_ids": "c", "cognito_jwks_url": "http://127.0.0.1:1/",
            },
            "COGNITO_JWKS_URL is not https",
        ),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_production_does_not_start_with(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint) as refusal:
        OfAService(**(GOOD | {"webhook_secret": "x9" * 16} | change))

    told = str(refusal.value)
    assert "n0t-known-to-anybody" not in told
    assert not any(secret in told for secret in ("xxxx", "changeme", "whsec_", "k3k3"))


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({}, "JWT_SECRET"),
        ({"jwt_secret": "x" * 31}, "JWT_SECRET of 32 bytes"),
        ({"auth_mode": "jwks"}, "JWKS_URL"),
        ({"auth_mode": "cognito"}, "COGNITO_REGION"),
        ({"auth_mode": "none"}, "auth_mode"),
    ],
)
def test_each_mode_needs_its_own(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        ServiceSettings(database_url=SecretStr("x"), **given)
