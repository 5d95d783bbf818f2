"""Who finds a proxy where a service was: everybody but those who look whether it is ready."""

import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from harness.faults import places
from harness.process.home import Home
from harness.process.spec import ProcessSpec
from harness.providers import shop_specs
from harness.providers.setting import Setting, secret_names
from harness.topology.summary import ServiceSummary, Summary

SERVICES = ("auth", "order", "payment")
INFRASTRUCTURE = (*places.PLACES, "postgres", "traces", "mailbox", "smtp")
SHOP = Summary(
    {name: ServiceSummary(8000 + n, None, None) for n, name in enumerate(SERVICES)},
    {name: 4000 + n for n, name in enumerate(INFRASTRUCTURE)},
)


@pytest.fixture
def calm(tmp_path: Path) -> Setting:
    home = Home(tmp_path)
    secrets = home.secrets(secret_names(SERVICES))
    setting = Setting("embedded", home, tmp_path, SHOP, SERVICES, SHOP.ports, secrets)
    queues = {"topic_arns": {}, "queue_urls": {}, "dead_letter_queue_urls": {}}
    setting.messaging_file.write_text(json.dumps(queues))
    return setting


@pytest.fixture
def faulty(calm: Setting) -> Setting:
    return replace(calm, ports=SHOP.ports | places.usual_ports(SHOP.ports, SERVICES))


def seen(setting: Setting) -> dict[str, int | None]:
    """The port of each address, by who uses it."""
    endpoints = shop_specs.endpoints(setting)
    order = process(setting, "order-web")
    provider = shop_specs.simulators(setting)[0]
    addresses = {
        "shopper": endpoints.services["order"],
        "neighbour": order.env["PAYMENT_URL"],
        "webhook": provider.env["PAYMENT_PROVIDER_WEBHOOK_URL"],
    }
    return {name: urlsplit(url).port for name, url in addresses.items()}


def process(setting: Setting, name: str) -> ProcessSpec:
    specs = shop_specs.service_processes(setting, shop_specs.endpoints(setting))
    return next(spec for spec in specs if spec.name == name)


def test_where_no_fault_can_be_planted_everybody_asks_the_service(calm: Setting) -> None:
    assert seen(calm) == {"shopper": 8001, "neighbour": 8002, "webhook": 8002}


def test_shoppers_neighbours_and_the_provider_ask_the_proxies(faulty: Setting) -> None:
    assert seen(faulty) == {"shopper": 28001, "neighbour": 28002, "webhook": 28002}


def test_a_service_listens_and_is_probed_where_it_always_is(faulty: Setting) -> None:
    web = process(faulty, "order-web")

    assert (web.port, web.env["PORT"]) == (8001, "8001")


def test_the_proxies_are_told_of_every_service(faulty: Setting) -> None:
    argv = shop_specs.faults(faulty).argv
    upstreams = json.loads(argv[argv.index("--upstreams") + 1])
    listening = json.loads(argv[argv.index("--ports") + 1])

    assert {name: upstreams[name] for name in SERVICES} == {
        name: SHOP.services[name].port for name in SERVICES
    }
    assert listening["faults-order"] == 28001
