"""Everything the auth service reads from its environment. Read once, at start."""

from common.settings import ServiceSettings
from pydantic import Field


class Settings(ServiceSettings):
    # How many proxies of ours stand before the service, each adding to X-Forwarded-For.
    # With 0 the header is not believed: anybody can write it, and the login limit counts
    # by address.
    trusted_proxies: int = Field(default=0, ge=0, le=5)
