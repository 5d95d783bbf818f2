"""Everything the cart service reads from its environment. Read once, at start."""

from common.settings import ServiceSettings


class Settings(ServiceSettings):
    catalog_url: str
    inventory_url: str
