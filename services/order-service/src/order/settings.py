"""Everything the order service reads from its environment. Read once, at start."""

from common.settings import ServiceSettings
from pydantic import Field


class Settings(ServiceSettings):
    catalog_url: str
    # Divides the saga's deadlines; tests and simulations may hurry.
    saga_time_scale: float = Field(default=1.0, gt=0)
