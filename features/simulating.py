"""A run of the checkout simulator on a shop of the tests, without a display."""

import threading
from collections.abc import Sequence
from pathlib import Path

from harness import stack
from harness.shopper.scenario_shop import ScenarioShop
from simulators.checkout.results import Plan, Result
from simulators.checkout.run import run
from simulators.checkout.weather.plan import NO_WEATHER, Weather
from simulators.journey.load import load_sample

TOPOLOGY = stack.topology()


class Silent:
    """A display for nobody."""

    def phase(self, name: str) -> None: ...
    def replaying(self, progress: object) -> None: ...
    def settling(self, unrest: object) -> None: ...
    def auditing(self, done: int, total: int) -> None: ...


def simulate(
    plan: Plan, shop: ScenarioShop, directory: Path, weather: Weather = NO_WEATHER
) -> Result:
    """*shop* has set up tracing for this process."""
    return run(
        *(plan, load_sample(), shop.endpoints, TOPOLOGY),
        stop=threading.Event(),
        display=Silent(),
        directory=directory,
        weather=weather,
    )


def violations(result: Result) -> Sequence[str]:
    return [f"{f.checker.name}: {v.message}" for f in result.findings for v in f.violations]
