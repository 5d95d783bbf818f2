"""Everything the payment provider reads from its environment. Read once, at start."""

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

# A slow answer has to come before the shop's own timeout of 5 s, or it would be a lost one.
SLOW_MS_MAX = 2_000

# Ten minutes late is later than any order waits; beyond that the webhook may as well be never.
LATE_MS_MAX = 600_000

# Three days, as long as Stripe tries in live mode.
RETRY_FOR_S_MAX = 3 * 24 * 3_600

# 3-D Secure pages close after minutes (EMV 3DS: 10 at least); an order does not wait longer.
CHALLENGE_TTL_S = 900


class Settings(BaseSettings):
    """Each is `PAYMENT_PROVIDER_<NAME>` in the environment; docs/simulators.md tells of each."""

    model_config = SettingsConfigDict(
        env_prefix="payment_provider_", frozen=True, env_ignore_empty=True
    )

    api_key: SecretStr = SecretStr("sk_test_cartwright")
    merchant_name: str = Field(default="Cartwright", min_length=1, max_length=64)
    slow_ms: int = Field(default=500, ge=0, le=SLOW_MS_MAX)
    public_url: str = ""
    return_origins: str = "http://127.0.0.1:3000,http://localhost:3000"
    challenge_ttl_s: int = Field(default=CHALLENGE_TTL_S, ge=1, le=24 * 3_600)
    webhook_url: str = ""
    webhook_secret: SecretStr = SecretStr("")
    webhook_late_ms: int = Field(default=2_000, ge=0, le=LATE_MS_MAX)
    webhook_retry_for_s: int = Field(default=3_600, ge=1, le=RETRY_FOR_S_MAX)

    @field_validator("public_url", "webhook_url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and not (parts.scheme in {"http", "https"} and parts.hostname):
            raise ValueError("has to be an http or https address")
        return url

    @field_validator("return_origins")
    @classmethod
    def _are_origins(cls, origins: str) -> str:
        for one in _listed(origins):
            parts = urlsplit(one)
            if parts.scheme not in {"http", "https"} or one != f"{parts.scheme}://{parts.netloc}":
                raise ValueError("has to be origins such as https://shop.example, by commas")
        return origins

    @model_validator(mode="after")
    def _webhooks_are_signed(self) -> Self:
        if self.webhook_url and not self.signing_secrets:
            raise ValueError("PAYMENT_PROVIDER_WEBHOOK_URL needs PAYMENT_PROVIDER_WEBHOOK_SECRET")
        return self

    @property
    def signing_secrets(self) -> list[str]:
        """One signature each: while a secret is changed there are two."""
        return _listed(self.webhook_secret.get_secret_value())

    @property
    def allowed_origins(self) -> frozenset[str]:
        return frozenset(_listed(self.return_origins))


def _listed(by_commas: str) -> list[str]:
    return [part.strip() for part in by_commas.split(",") if part.strip()]
