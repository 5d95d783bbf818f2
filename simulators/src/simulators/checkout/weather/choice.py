"""Which weather a run gets: what its command asks for, as far as faults can be planted there."""

from pathlib import Path

from harness.process.endpoints import Endpoints
from harness.providers.choice import ProviderName

from simulators.checkout.weather.plan import (
    CALM,
    NO_WEATHER,
    STORMY,
    Weather,
    WeatherRefused,
    read,
    storm,
)

# Where containers are, these belong to the engine, and are not ours to restart.
SPARED = {str(ProviderName.CONTAINERS): ("postgres", "emulator")}


def no_proxies(shop: Endpoints) -> str:
    """Why nothing can be planted there, and what to do if it is ours."""
    why = "this shop runs without the proxies that plant faults"
    started = "after `cartwright down` this command starts one that has them"
    return f"{why}; {started}" if shop.home else why


def of_file(wanted: str | None) -> Weather | None:
    """None if no file was asked for. Raises WeatherRefused."""
    return None if wanted in {None, CALM, STORMY} else read(Path(str(wanted)))


def choose(
    wanted: str | None, filed: Weather | None, shop: Endpoints, seed: int, replay_s: float
) -> Weather:
    """filed: of the file that was asked for. If nothing was, a storm wherever it can be.

    Raises WeatherRefused for a shop in which no fault can be planted.
    """
    if wanted == CALM or (wanted is None and not shop.faults_url):
        return NO_WEATHER
    if not shop.faults_url:
        raise WeatherRefused(no_proxies(shop))
    return filed or storm(seed, replay_s, without=SPARED.get(shop.provider, ()))
