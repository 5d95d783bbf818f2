"""Everything the order service reads from its environment. Read once, at start."""

from typing import ClassVar

from common.settings import ServiceSettings
from pydantic import Field

# A person who orders again and again does so every few seconds for a moment, not for a minute;
# whoever does is a script that buys the shelf empty (OWASP API6:2023).
ORDERS_PER_MINUTE = 10


class Settings(ServiceSettings):
    calls_neighbours: ClassVar[bool] = True

    catalog_url: str
    # Divides the saga's deadlines; tests and simulations may hurry.
    saga_time_scale: float = Field(default=1.0, gt=0)
    # How many orders one customer or guest may place in any sixty seconds.
    order_rate_per_minute: int = Field(default=ORDERS_PER_MINUTE, ge=1)
