"""Everything the inventory service reads from its environment. Read once, at start."""

from common.settings import ServiceSettings
from pydantic import Field


class Settings(ServiceSettings):
    """What every service needs, and how fast time passes here.

    saga_time_scale: reservations expire so many times faster; a simulated day is short.
    """

    saga_time_scale: float = Field(default=1.0, gt=0)
