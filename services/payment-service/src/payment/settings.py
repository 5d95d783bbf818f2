"""Everything the payment service reads from its environment. Read once, at start."""

from common.settings import ServiceSettings
from pydantic import SecretStr


class Settings(ServiceSettings):
    payment_provider_url: str
    payment_provider_api_key: SecretStr
