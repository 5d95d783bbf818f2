"""Everything the inventory service reads from its environment. Read once, at start."""

from common.settings import ServiceSettings


class Settings(ServiceSettings):
    """The inventory needs nothing beyond what every service needs."""
