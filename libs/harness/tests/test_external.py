"""A shop that somebody else runs is found by what one is told of it, and all of that."""

import json
import os
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from harness import stack
from harness.process.endpoints import Endpoints
from harness.providers import external
from harness.providers.external import NoEndpoints

SHOP = Endpoints(
    provider="embedded",
    home="/elsewhere",
    services={"order": "http://shop.example/order"},
    postgres_dsn="",
    auditor_dsn="postgresql://auditor@db.example/cartwright",
    redis_url="redis://cache.example/0",
    aws_endpoint_url="https://sqs.example",
    topic_arns={},
    queue_urls={},
    dead_letter_queue_urls={},
    trace_query_url="http://jaeger.example",
    otlp_url="http://jaeger.example:4318",
    payment_provider_url="http://provider.example",
    payment_provider_api_key="from-the-file",
    mailbox_url="http://mails.example",
    smtp_host="mails.example",
    smtp_port=25,
    jwt_secret="",
    pids={"order-web": 4711},
)


endpoints = partial(external.endpoints, repo_root=stack.repository())


def told(path: Path, document: Any, **others: str) -> dict[str, str]:
    path.write_text(json.dumps(document))
    return {"CARTWRIGHT_ENDPOINTS": str(path), **others}


def test_a_file_of_endpoints_is_the_shop_without_what_is_not_ours(tmp_path: Path) -> None:
    found = endpoints(told(tmp_path / "shop.json", asdict(SHOP)))

    assert found.services == SHOP.services
    assert (found.provider, found.home, dict(found.pids)) == ("external", "", {})


def test_the_state_of_a_running_shop_says_it_as_well(tmp_path: Path) -> None:
    state = {"status": "running", "endpoints": asdict(SHOP)}

    assert endpoints(told(tmp_path / "state.json", state)).redis_url == SHOP.redis_url


def test_what_compose_prints_says_it_as_well(tmp_path: Path) -> None:
    printed = {"services": {}, "x-endpoints": asdict(SHOP) | {"smtp_port": "2525"}}

    found = endpoints(told(tmp_path / "compose.json", printed))

    assert (found.redis_url, found.smtp_port) == (SHOP.redis_url, 2525)


def test_the_environment_counts_more_than_the_file(tmp_path: Path) -> None:
    outside = told(
        tmp_path / "shop.json",
        asdict(SHOP),
        CARTWRIGHT_PAYMENT_PROVIDER_API_KEY="from-outside",
        CARTWRIGHT_SMTP_PORT="2525",
    )

    found = endpoints(outside)

    assert (found.payment_provider_api_key, found.smtp_port) == ("from-outside", 2525)


def test_everything_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    document = asdict(SHOP)
    del document["redis_url"], document["mailbox_url"]

    with pytest.raises(NoEndpoints, match=r"shop.json leaves out redis_url, mailbox_url$"):
        endpoints(told(tmp_path / "shop.json", document))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [("{", "Expecting"), ("[]", "holds no endpoints"), ('{"endpoints": null}', "is the shop")],
    ids=["no JSON", "no object", "a shop that stopped"],
)
def test_a_file_that_is_no_shop_is_refused_by_name(
    tmp_path: Path, content: str, complaint: str
) -> None:
    file = tmp_path / "shop.json"
    file.write_text(content)

    with pytest.raises(NoEndpoints, match=f"shop.json: .*{complaint}"):
        endpoints({"CARTWRIGHT_ENDPOINTS": str(file)})


def test_unless_another_is_named_it_is_the_shop_that_runs_here(tmp_path: Path) -> None:
    other = told(tmp_path / "other.json", asdict(replace(SHOP, redis_url="redis://other.example")))

    assert endpoints({}, here=SHOP) == SHOP, "its processes are ours to signal"
    assert endpoints(other, here=SHOP).redis_url == "redis://other.example"


def test_the_option_counts_more_than_the_environment(tmp_path: Path) -> None:
    other = told(tmp_path / "other.json", asdict(replace(SHOP, redis_url="redis://other.example")))
    third = tmp_path / "third.json"
    third.write_text(json.dumps(asdict(replace(SHOP, redis_url="redis://third.example"))))

    assert endpoints(other, here=SHOP, shop="running").redis_url == SHOP.redis_url
    assert endpoints(other, here=SHOP, shop=str(third)).redis_url == "redis://third.example"


def test_where_none_runs_it_is_said_what_to_do() -> None:
    with pytest.raises(NoEndpoints, match=r"cartwright up --provable"):
        endpoints({}, here=None)


# What answers instead of Docker's command, and says where it was asked and of which files.
DOCKER = """#!/bin/sh
[ "$*" = "compose config --format json" ] || exit 9
echo "$PWD $COMPOSE_FILE" > "$(dirname "$0")/asked"
%s
"""


def docker_that(folder: Path, does: str) -> dict[str, str]:
    program = folder / "docker"
    program.write_text(DOCKER % does)
    program.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_our_own_settings_say_nothing_of_somebody_elses_shop(tmp_path: Path) -> None:
    ours = {"CARTWRIGHT_HOME": "/here/.cartwright", "CARTWRIGHT_PROVIDER": "auto"}

    found = endpoints(told(tmp_path / "shop.json", asdict(SHOP)) | ours)

    assert (found.provider, found.home) == ("external", "")
    assert endpoints(ours, here=SHOP) == SHOP


def test_compose_is_asked_where_its_shop_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = tmp_path / "printed.json"
    members = asdict(SHOP) | {"span_ledger_dir": "reports/ledgers", "smtp_port": "2525"}
    printed.write_text(json.dumps({"x-endpoints": members}))
    outside = docker_that(tmp_path, f"cat {printed}")
    monkeypatch.setenv("PATH", outside["PATH"])

    found = endpoints(outside, shop="compose")

    root = stack.repository()
    assert (found.redis_url, found.smtp_port) == (SHOP.redis_url, 2525)
    assert found.span_ledger_dir == str(root / "reports" / "ledgers")
    assert (tmp_path / "asked").read_text() == (
        f"{root} docker-compose.yml:infra/compose-simulation.yml\n"
    )


def test_compose_without_its_second_file_is_told_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = docker_that(tmp_path, """echo '{"services": {}}'""")
    monkeypatch.setenv("PATH", outside["PATH"])

    with pytest.raises(NoEndpoints, match=r"leaves out infra/compose-simulation.yml"):
        endpoints(outside, shop="compose")


def test_what_compose_complains_of_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = docker_that(tmp_path, "echo 'required variable JWT_SECRET is missing' >&2; exit 1")
    monkeypatch.setenv("PATH", outside["PATH"])

    with pytest.raises(NoEndpoints, match=r"says: required variable JWT_SECRET is missing"):
        endpoints(outside, shop="compose")


def test_without_docker_it_is_said_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(NoEndpoints, match="needs its command"):
        endpoints({"PATH": str(tmp_path)}, shop="compose")


def test_a_port_that_is_no_number_is_refused(tmp_path: Path) -> None:
    outside = told(tmp_path / "shop.json", asdict(SHOP), CARTWRIGHT_SMTP_PORT="many")

    with pytest.raises(NoEndpoints, match="CARTWRIGHT_SMTP_PORT is no int: 'many'"):
        endpoints(outside)


def test_the_shop_that_runs_is_that_of_the_home_which_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoEndpoints, match="no shop runs here"):
        stack.external_shop("running", tmp_path / "home")

    assert not (tmp_path / "home").exists()
