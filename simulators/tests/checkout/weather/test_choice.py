"""Which weather there is where: a storm where faults can be planted, and never without a word."""

from dataclasses import fields, replace

import pytest
from harness.process.endpoints import Endpoints
from simulators.checkout.weather.choice import choose, no_proxies
from simulators.checkout.weather.plan import NO_WEATHER, Planned, Weather, WeatherRefused, storm

FILED = Weather(name="squall", faults=[Planned(kind="cache-empty", at=0.5)])


@pytest.fixture
def shop() -> Endpoints:
    blank = Endpoints.from_json({field.name: "" for field in fields(Endpoints)})
    return replace(blank, faults_url="http://127.0.0.1:1", provider="embedded")


@pytest.fixture
def without_proxies(shop: Endpoints) -> Endpoints:
    return replace(shop, faults_url="")


@pytest.mark.parametrize("wanted", [None, "stormy"])
def test_a_shop_with_proxies_gets_the_storm_of_the_seed(
    shop: Endpoints, wanted: str | None
) -> None:
    assert choose(wanted, None, shop, 4, 50.0) == storm(4, 50.0)


def test_calm_is_calm_and_a_file_is_what_it_says(shop: Endpoints) -> None:
    assert choose("calm", None, shop, 4, 50.0) == NO_WEATHER
    assert choose("squall.yaml", FILED, shop, 4, 50.0) == FILED


def test_without_proxies_it_is_calm_unless_something_else_was_asked_for(
    without_proxies: Endpoints,
) -> None:
    assert choose(None, None, without_proxies, 4, 50.0) == NO_WEATHER
    for wanted, filed in (("stormy", None), ("squall.yaml", FILED)):
        with pytest.raises(WeatherRefused, match="without the proxies"):
            choose(wanted, filed, without_proxies, 4, 50.0)


def test_whose_shop_is_not_ours_is_not_told_to_stop_it(without_proxies: Endpoints) -> None:
    assert "cartwright down" in no_proxies(replace(without_proxies, home="/here"))
    assert "cartwright down" not in no_proxies(replace(without_proxies, home=""))


def test_in_containers_nothing_happens_to_what_would_forget(shop: Endpoints) -> None:
    containers = replace(shop, provider="containers")
    hit = {
        fault.process
        for seed in range(20)
        for fault in choose(None, None, containers, seed, 50.0).faults
    }

    assert "postgres" not in hit
    assert "order-worker" in hit
