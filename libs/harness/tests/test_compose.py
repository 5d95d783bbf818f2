"""Compose holds to the topology, the settings and the pins, and shows nothing to other machines.

Read, not run: no test here needs an engine.
"""

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from common.db import POOL_SIZE
from harness import stack
from harness.providers import external, images, role_names
from harness.providers.service_environment import LIMITS
from harness.traces.ledger_writer import DIRECTORY_VARIABLE
from test_env_example import DEFAULTS, SET

ROOT = stack.repository()
TOPOLOGY = stack.topology()
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
SIMULATION_TEXT = (ROOT / "infra" / "compose-simulation.yml").read_text(encoding="utf-8")
# `${NAME}`, `${NAME:-default}`, `${NAME:?what to do}`.
VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?(?::\?[^}]*)?\}")
# A tag that begins with its version.
PINNED = re.compile(r"[a-z0-9./-]+:\d[\w.-]*")
PORT = re.compile(r"127\.0\.0\.1:\$\{(\w+)_PORT:-(\d+)\}:\d+")


def filled(text: str) -> Any:
    """As Compose reads it, beside a copy of .env.example."""

    def value(match: re.Match[str]) -> str:
        return SET.get(match[1], match[2] or "").partition("  #")[0]

    return yaml.safe_load(VARIABLE.sub(value, text))


SERVICES: dict[str, dict[str, Any]] = filled(TEXT)["services"]
AS_WRITTEN: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
OURS = [name for name, part in SERVICES.items() if part["image"].startswith("cartwright/")]
THEIRS = sorted(SERVICES.keys() - set(OURS))
COLLECTOR = "otel-collector"
COLLECTING = (ROOT / "infra" / "otel" / "otel-collector-config.yaml").read_text(encoding="utf-8")
LASTING = [name for name in OURS if name != "roles" and not name.endswith("-migrations")]
SIMULATION: dict[str, Any] = filled(SIMULATION_TEXT)
# The one service that docker-compose.yml has not.
COMMAND: dict[str, Any] = SIMULATION["services"]["cartwright"]
RAISED = {name: part for name, part in SIMULATION["services"].items() if name in SERVICES}


def settings(service: str, part: str) -> Any:
    """What that container reads. Raises ValidationError if it would not start."""
    environment = SERVICES[f"{service}-{part}"]["environment"]
    given = {name.lower(): value for name, value in environment.items()}
    return importlib.import_module(f"{service}.settings").Settings(**given)


def waits_for(name: str) -> dict[str, str]:
    needed = SERVICES[name].get("depends_on", {})
    return {other: how["condition"].removeprefix("service_") for other, how in needed.items()}


@pytest.mark.parametrize("service", THEIRS)
def test_every_image_is_pinned(service: str) -> None:
    assert PINNED.fullmatch(SERVICES[service]["image"])


def test_the_images_are_those_that_the_containers_provider_starts() -> None:
    pinned = images.load(ROOT).by_part()

    # The provider's processes tell Jaeger itself.
    assert {name: SERVICES[name]["image"] for name in THEIRS if name != COLLECTOR} == pinned


def test_every_port_of_the_topology_is_published_on_this_machine_only_where_one_likes() -> None:
    published = [port for part in AS_WRITTEN.values() for port in part.get("ports", [])]
    matches = [PORT.fullmatch(port) for port in published]

    assert None not in matches, published
    found = {match[1]: int(match[2]) for match in matches if match}
    parts = {**TOPOLOGY.services, **TOPOLOGY.infrastructure}
    expected = {name.upper().replace("-", "_"): part.port for name, part in parts.items()}
    assert found == expected | {"METRICS": 8889}
    assert len(found) == len(published)


def test_every_variable_is_in_the_example_with_its_default() -> None:
    used = {(match[1], match[2]) for match in VARIABLE.finditer(TEXT + SIMULATION_TEXT)}

    assert {name for name, default in used if default is None} <= SET.keys()
    assert {(name, default) for name, default in used if default is not None} <= DEFAULTS.items()


@pytest.mark.parametrize("service", TOPOLOGY.services)
@pytest.mark.parametrize("part", ["web", "worker"])
def test_each_service_is_told_all_that_it_needs_to_start(service: str, part: str) -> None:
    told = settings(service, part)

    topic, queue = TOPOLOGY.services[service].topic, TOPOLOGY.services[service].queue
    assert (told.topic_arn or "").rpartition(":")[2] == (topic or "")
    assert (told.queue_url or "").rpartition("/")[2] == (queue or "")
    dead_letters = TOPOLOGY.dead_letter_queue(queue) if queue else ""
    assert (told.dead_letter_queue_url or "").rpartition("/")[2] == dead_letters
    assert f"//{role_names.service_role(service)}:" in told.database_url.get_secret_value()


@pytest.mark.parametrize("service", TOPOLOGY.services)
def test_one_image_serves_works_and_migrates(service: str) -> None:
    parts = [SERVICES[f"{service}-{part}"] for part in ("web", "worker", "migrations")]

    assert {part["image"] for part in parts} == {f"cartwright/{service}"}
    assert [part.get("command") for part in parts] == [
        None,
        ["python", "-m", f"{service}.worker"],
        ["python", "-m", "common.migrations", "upgrade", f"services/{service}-service"],
    ]
    assert parts[2]["build"]["args"]["SERVICE"] == service


@pytest.mark.parametrize("service", TOPOLOGY.services)
def test_each_waits_for_what_it_stands_on(service: str) -> None:
    migrations = f"{service}-migrations"

    assert waits_for("roles") == {"postgres": "healthy"}
    assert waits_for(migrations) == {"roles": "completed_successfully"}
    for part in ("web", "worker"):
        assert waits_for(f"{service}-{part}") == {
            "localstack": "healthy",
            "redis": "healthy",
            migrations: "completed_successfully",
        }


def test_every_role_is_made_with_the_password_that_it_uses() -> None:
    made = json.loads(SERVICES["roles"]["environment"]["ROLE_PASSWORDS"])

    assert set(made) == set(role_names.every_role(list(TOPOLOGY.services)))
    assert SERVICES["roles"]["command"][-len(TOPOLOGY.services) :] == list(TOPOLOGY.services)


@pytest.mark.parametrize("name", OURS)
def test_what_is_ours_may_do_little(name: str) -> None:
    part = SERVICES[name]

    assert part["read_only"] is True
    assert part["cap_drop"] == ["ALL"]
    assert part["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", SERVICES)
def test_everything_has_a_limit(name: str) -> None:
    assert {"mem_limit", "cpus", "logging"} <= SERVICES[name].keys()


# Of a web and of the storefront the image says it. Those of Jaeger and of the collector have no
# shell to ask with.
IMAGES_WITH_A_CHECK = {"cartwright/storefront": "frontend"} | {
    f"cartwright/{name}": "services" for name in TOPOLOGY.services
}


@pytest.mark.parametrize("name", sorted({*LASTING, *THEIRS} - {"jaeger", COLLECTOR}))
def test_whoever_waits_can_be_told_that_it_is_ready(name: str) -> None:
    if "healthcheck" not in SERVICES[name]:
        folder = ROOT / IMAGES_WITH_A_CHECK[SERVICES[name]["image"]]
        dockerfile = (folder / "Dockerfile").read_text(encoding="utf-8")
        assert "/healthz" in dockerfile.partition("\nHEALTHCHECK ")[2].splitlines()[1]
    else:
        assert SERVICES[name]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


@pytest.mark.parametrize("name", LASTING)
def test_what_ends_is_started_again(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_the_storefront_finds_the_services_that_it_asks_and_waits_for_them() -> None:
    client = (ROOT / "frontend" / "lib" / "api" / "client.ts").read_text(encoding="utf-8")
    asked = set(re.findall(r'"(\w+)_URL"', client))

    assert SERVICES["storefront"]["environment"] == {
        f"{name}_URL": f"http://{name.lower()}-web:8000" for name in asked
    }
    assert waits_for("storefront") == {f"{name.lower()}-web": "healthy" for name in asked}


def test_what_is_told_goes_through_the_collector_and_on_to_jaeger() -> None:
    collecting = yaml.safe_load(COLLECTING)
    tellers = [part["environment"] for part in SERVICES.values() if "environment" in part]
    told = {e[key] for e in tellers for key in e if re.fullmatch("OTEL_EXPORTER_.*ENDPOINT", key)}

    assert told == {f"http://{COLLECTOR}:4318", f"http://{COLLECTOR}:4318/v1/metrics"}
    assert collecting["receivers"]["otlp"]["protocols"]["http"]["endpoint"].endswith(":4318")
    assert collecting["exporters"]["otlphttp/jaeger"]["endpoint"] == "http://jaeger:4318"
    pipelines = collecting["service"]["pipelines"]
    assert pipelines["traces"]["exporters"] == ["otlphttp/jaeger"]
    assert pipelines["metrics"]["exporters"] == ["prometheus"]
    for pipeline in pipelines.values():
        assert pipeline["processors"][:2] == ["memory_limiter", "attributes/cards"]


def test_the_collector_is_given_its_file_and_all_that_this_asks_for() -> None:
    part = SERVICES[COLLECTOR]
    (volume,) = part["volumes"]
    source, target, mode = volume.split(":")

    assert (ROOT / source).read_text(encoding="utf-8") == COLLECTING
    assert (part["command"], mode) == ([f"--config={target}"], "ro")
    assert set(re.findall(r"\$\{env:(\w+)\}", COLLECTING)) == set(part["environment"])


@pytest.mark.parametrize(
    ("attribute", "goes"),
    [
        *[(name, True) for name in ("card", "card.number", "payment.card_number", "x-pan", "CVC")],
        *[(name, False) for name in ("discard", "card.brand", "cart.id", "span.kind", "company")],
    ],
)
def test_an_attribute_that_is_named_like_a_card_goes_no_further(
    attribute: str, *, goes: bool
) -> None:
    (action,) = yaml.safe_load(COLLECTING)["processors"]["attributes/cards"]["actions"]

    assert action["action"] == "delete"
    assert bool(re.search(action["pattern"], attribute)) is goes


def test_proofs_get_every_span_from_who_made_it() -> None:
    for part in RAISED.values():
        told = part["environment"]["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
        assert told == "http://jaeger:4318/v1/traces"


def test_the_queues_are_made_by_the_generated_script() -> None:
    (volume,) = SERVICES["localstack"]["volumes"]
    script, target, mode = volume.split(":")

    assert (ROOT / script).exists()
    assert re.fullmatch(r"/etc/localstack/init/ready\.d/[\w-]+\.py", target)
    assert mode == "ro"


def test_simulated_shoppers_meet_the_limits_of_every_other_stack() -> None:
    raised = {
        name: str(limit)
        for part in RAISED.values()
        for name, limit in part["environment"].items()
        if name in LIMITS
    }

    assert raised == LIMITS
    for name, part in RAISED.items():
        if limits := LIMITS.keys() & part["environment"].keys():
            service = importlib.import_module(f"{name.removesuffix('-web')}.settings")
            assert {limit.lower() for limit in limits} <= service.Settings.model_fields.keys()


def test_whoever_writes_spans_keeps_a_ledger_of_them_for_simulated_shoppers() -> None:
    writers = {
        name
        for name, part in SERVICES.items()
        if "OTEL_EXPORTER_OTLP_ENDPOINT" in part.get("environment", {})
    }

    keepers = {
        name
        for name, part in RAISED.items()
        if part["environment"][DIRECTORY_VARIABLE] == "/ledgers"
    }
    assert keepers == writers


def test_everything_that_serves_or_works_can_be_there_twice() -> None:
    """No name and, but for webs, no port of this machine that only one could have."""
    twice = yaml.safe_load((ROOT / "infra" / "compose-replicas.yml").read_text())["services"]
    webs, workers = (
        {f"{service}-{part}" for service in TOPOLOGY.services} for part in ("web", "worker")
    )

    assert {n for n, part in twice.items() if part.get("deploy") == {"replicas": 2}} == workers
    assert {n for n, part in twice.items() if "WEB_WORKERS" in part.get("environment", {})} == webs
    assert not [name for name in workers | webs if "container_name" in SERVICES[name]]
    assert not [name for name in workers if SERVICES[name].get("ports")]
    (most,) = re.findall(r"max_connections=(\d+)", " ".join(SERVICES["postgres"]["command"]))
    assert int(most) > 2 * len(webs | workers) * POOL_SIZE


def test_what_compose_prints_says_where_the_shop_is(tmp_path: Path) -> None:
    printed = tmp_path / "compose.json"
    printed.write_text(json.dumps({"services": SERVICES} | SIMULATION))

    found = external.endpoints({"CARTWRIGHT_ENDPOINTS": str(printed)}, repo_root=ROOT)

    assert found.services == {
        name: f"http://127.0.0.1:{service.port}" for name, service in TOPOLOGY.services.items()
    }
    assert found.topic_arns.keys() == TOPOLOGY.topics.keys()
    assert {n: url.rpartition("/")[2] for n, url in found.queue_urls.items()} == {
        queue: queue for queue in TOPOLOGY.queues
    }
    assert {n: url.rpartition("/")[2] for n, url in found.dead_letter_queue_urls.items()} == {
        queue: TOPOLOGY.dead_letter_queue(queue) for queue in TOPOLOGY.queues
    }
    assert found.jwt_secret == settings("auth", "web").jwt_secret.get_secret_value()


def test_the_command_in_a_container_finds_the_same_shop_from_inside() -> None:
    (file,) = [volume for volume in COMMAND["volumes"] if volume.endswith(":/app/shop.json:ro")]
    told = {"CARTWRIGHT_ENDPOINTS": str(ROOT / file.partition(":")[0])} | COMMAND["environment"]
    outside = SIMULATION["x-endpoints"]

    inside = external.endpoints(told, repo_root=ROOT)

    assert inside.services == {name: f"http://{name}-web:8000" for name in TOPOLOGY.services}
    for urls in ("queue_urls", "dead_letter_queue_urls"):
        assert {name: url.rpartition("/")[2] for name, url in getattr(inside, urls).items()} == {
            name: url.rpartition("/")[2] for name, url in outside[urls].items()
        }
    for same in ("topic_arns", "jwt_secret", "payment_provider_api_key"):
        assert getattr(inside, same) == outside[same]
    hosts = re.findall(r"(?:://|@)([a-z-]+):\d", json.dumps(inside.to_json()))
    assert set(hosts) - SERVICES.keys() == set()


def test_the_command_in_a_container_opens_the_banks_page_where_the_provider_is() -> None:
    told = SERVICES["payment-provider"]["environment"]["PAYMENT_PROVIDER_PUBLIC_URL"]

    assert COMMAND["environment"]["CARTWRIGHT_PAYMENT_PROVIDER_PUBLIC_URL"] == told


def test_the_command_in_a_container_may_do_little_and_is_not_started_with_the_shop() -> None:
    assert COMMAND["profiles"]
    assert COMMAND["read_only"] is True
    assert COMMAND["cap_drop"] == ["ALL"]
    assert {"mem_limit", "cpus", "logging"} <= COMMAND.keys()
    assert COMMAND["entrypoint"] == ["cartwright"]
