"""Everything the catalog service reads from its environment. Read once, at start."""

from common.settings import ServiceSettings


class Settings(ServiceSettings):
    """The catalog needs nothing beyond what every service needs."""
