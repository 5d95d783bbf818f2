"""Everything the catalog service reads from its environment. Read once, at start."""

from typing import ClassVar

from common.settings import ServiceSettings


class Settings(ServiceSettings):
    """The catalog needs nothing beyond what every service needs, and Redis."""

    uses_redis: ClassVar[bool] = True
