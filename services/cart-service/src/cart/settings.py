"""Everything the cart service reads from its environment. Read once, at start."""

from typing import ClassVar

from common.settings import ServiceSettings


class Settings(ServiceSettings):
    calls_neighbours: ClassVar[bool] = True

    catalog_url: str
    inventory_url: str
