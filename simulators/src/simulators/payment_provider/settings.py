"""Everything the payment provider reads from its environment. Read once, at start."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

# A slow answer has to come before the shop's own timeout of 5 s, or it would be a lost one.
SLOW_MS_MAX = 2_000


class Settings(BaseSettings):
    """`PAYMENT_PROVIDER_API_KEY` and `PAYMENT_PROVIDER_SLOW_MS`."""

    model_config = SettingsConfigDict(env_prefix="payment_provider_", frozen=True)

    api_key: SecretStr = SecretStr("sk_test_cartwright")
    slow_ms: int = Field(default=500, ge=0, le=SLOW_MS_MAX)
