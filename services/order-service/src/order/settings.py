"""Everything the order service reads from its environment. Read once, at start."""

from typing import ClassVar

from common.settings import ServiceSettings
from pydantic import Field, PositiveInt

# A person who orders again and again does so every few seconds for a moment, not for a minute;
# whoever does is a script that buys the shelf empty (OWASP API6:2023).
ORDERS_PER_MINUTE = 10
# Nobody buys so often; who orders in somebody else's name does, to have them written to.
ORDERS_PER_HOUR_PER_RECIPIENT = 30


class Settings(ServiceSettings):
    calls_neighbours: ClassVar[bool] = True

    catalog_url: str
    # Divides the saga's deadlines; tests and simulations may hurry.
    saga_time_scale: float = Field(default=1.0, gt=0)
    # How many orders one customer or guest may place in any sixty seconds.
    order_rate_per_minute: PositiveInt = ORDERS_PER_MINUTE
    # How many all of them together may place to one e-mail address in any hour.
    orders_per_hour_per_recipient: PositiveInt = ORDERS_PER_HOUR_PER_RECIPIENT
