"""Which settings let the payment service start where money is real."""

from typing import Any

import pytest
from payment.settings import Settings
from pydantic import ValidationError

DATABASE = "postgresql+psycopg2://payment:n0t-known-to-anybody@db/shop"  # pragma: allowlist secret
SERVING: dict[str, Any] = {
    "environment": "production",
    "auth_mode": "jwks",
    "jwks_url": "https://auth.internal/.well-known/jwks.json",
    "database_url": f"{DATABASE}?sslmode=require",
    "redis_url": "rediss://:k3k3k3k3k3k3k3k3@cache:6379/0",  # pragma: allowlist secret
    "payment_provider_url": "https://provider.example",
    "payment_provider_api_key": "k3" * 8,  # pragma: allowlist secret
    "payment_webhook_secrets": f"{'x9' * 8},{'y7' * 8}",
}


def test_production_starts_with_a_provider_and_secrets_of_its_own() -> None:
    assert len(Settings(**SERVING).webhook_secrets) == 2


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"payment_provider_url": "http://provider.example"}, "PROVIDER_URL is not https"),
        ({"payment_provider_api_key": "x"}, "PROVIDER_API_KEY is shorter than 16"),
        ({"payment_webhook_secrets": ""}, "WEBHOOK_SECRETS is needed"),
        (
            {"payment_webhook_secrets": f"{'x9' * 8},test{'x' * 16}"},
            "WEBHOOK_SECRETS is one that everybody knows",
        ),
    ],
    ids=["in plain text", "a guessable key", "no webhooks", "the second of two"],
)
def test_production_does_not_start_with(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Settings(**(SERVING | change))
