"""Everything the payment service reads from its environment. Read once, at start."""

from common.settings import PASSWORD_CHARS_MIN, ServiceSettings
from pydantic import Field, SecretStr, field_validator

# Half of HMAC-SHA256's own hash, whose full length RFC 2104 §3 advises: no word, and not guessed.
WEBHOOK_SECRET_CHARS_MIN = 16


class Settings(ServiceSettings):
    """payment_webhook_secrets: separated by commas; each holds, so that one can follow another.

    payment_action_hosts: hosts, separated by commas, to which the provider may send a shopper
        for 3-D Secure, beside its own.
    storefront_url: where a shopper comes back to afterwards; the provider has to know it.
    saga_time_scale: the books are compared so many times as often; a simulated day is short.
    """

    payment_provider_url: str
    payment_provider_api_key: SecretStr
    payment_webhook_secrets: SecretStr = SecretStr("")
    payment_action_hosts: str = ""
    storefront_url: str | None = None
    saga_time_scale: float = Field(default=1.0, gt=0)

    @field_validator("payment_webhook_secrets")
    @classmethod
    def _long_enough(cls, secrets: SecretStr) -> SecretStr:
        if any(len(secret) < WEBHOOK_SECRET_CHARS_MIN for secret in _parts(secrets)):
            raise ValueError(f"each needs {WEBHOOK_SECRET_CHARS_MIN} characters at least")
        return secrets

    def _faults_of_its_own(self) -> list[str]:
        faults = []
        if not self.payment_provider_url.startswith("https://"):
            faults.append("PAYMENT_PROVIDER_URL is not https")
        if len(self.payment_provider_api_key.get_secret_value()) < PASSWORD_CHARS_MIN:
            faults.append(f"PAYMENT_PROVIDER_API_KEY is shorter than {PASSWORD_CHARS_MIN}")
        if not self.webhook_secrets:
            faults.append("PAYMENT_WEBHOOK_SECRETS is needed: every webhook would be refused")
        return faults

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """None of them: every webhook is refused."""
        return _parts(self.payment_webhook_secrets)

    @property
    def action_hosts(self) -> tuple[str, ...]:
        return tuple(host.strip().lower() for host in self.payment_action_hosts.split(",") if host)

    @property
    def return_url(self) -> str | None:
        if not self.storefront_url:
            return None
        return f"{self.storefront_url.rstrip('/')}/orders/{{order_id}}"


def _parts(secrets: SecretStr) -> tuple[str, ...]:
    return tuple(part.strip() for part in secrets.get_secret_value().split(",") if part.strip())
