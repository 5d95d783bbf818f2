"""Everything the cart service reads from its environment. Read once, at start."""

from common.settings import ServiceSettings


class Settings(ServiceSettings):
    """The cart needs nothing beyond what every service needs."""
