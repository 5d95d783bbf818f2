"""A developer's shell full of settings meant for something else, and what is left of it."""

import itertools
import json
import os
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from harness import stack
from harness.process import surroundings

ROOT = stack.repository()
NOWHERE = "http://127.0.0.1:9"
# Each of these has broken a run, or made a right one look wrong.
HOSTILE = {
    "HTTP_PROXY": NOWHERE,
    "https_proxy": NOWHERE,
    "ALL_PROXY": "socks5://127.0.0.1:9",
    "AWS_PROFILE": "work",
    "AWS_ENDPOINT_URL": NOWHERE,
    "AWS_CA_BUNDLE": "/nonexistent.pem",
    "PGSSLMODE": "require",
    "PGOPTIONS": "-c no.such=1 -c nonsense=1",
    "PGSERVICE": "prod",
    "SSL_CERT_FILE": "/nonexistent.pem",
    "OTEL_TRACES_SAMPLER": "traceidratio",
    "OTEL_TRACES_SAMPLER_ARG": "0",
    "OTEL_SDK_DISABLED": "true",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "1",
    "DATABASE_URL": "postgresql://prod",
    "TZ": "Asia/Kathmandu",
    "LC_ALL": "C.UTF-8",
    "LANG": "de_DE.UTF-8",
}
ENTRIES = (
    "libs/cartwright/src/cartwright/cli.py",
    "libs/harness/src/harness/pytest_entry.py",
    "loadtests/locustfile.py",
    "frontend/start.py",
    "services/cart-service/bench/copies.py",
    "services/catalog-service/bench/whole_list.py",
    "services/inventory-service/bench/reservations.py",
)
# What every program of ours does with a shop: each client, made as those of the harness are.
CLIENTS = """
import datetime, json, sys
from harness.process import surroundings
surroundings.clean()
import boto3, httpx, psycopg2
from harness.topology import messaging
from harness.traces import export
from harness.providers import postgres
from opentelemetry import trace

url = sys.argv[1]
with postgres.temporary_server() as dsn:
    connection = psycopg2.connect(dsn)
    database = connection.info.dbname
    connection.close()
export.trace_to(url, "shopper")
with trace.get_tracer("test").start_as_current_span("span") as span:
    span.set_attributes({"one": 1, "two": 2})
print(json.dumps({
    "database": database,
    "http": httpx.get(url).status_code,
    "queues": messaging.sqs(url).list_queues()["QueueUrls"],
    "sampled": span.get_span_context().trace_flags.sampled,
    "attributes": dict(span.attributes),
    "zone": datetime.datetime.now().astimezone().tzname(),
}))
"""
SETTINGS_OF_THE_SERVER = """
import psycopg2
from harness.providers import postgres
with postgres.temporary_socket() as folder:
    connection = psycopg2.connect(host=str(folder), user="postgres", dbname="postgres")
    cursor = connection.cursor()
    for asked in ("timezone", "log_timezone", "lc_messages", "lc_collate", "server_encoding"):
        cursor.execute("SELECT current_setting(%s, true)", [asked])
        print(asked, *cursor.fetchone())
    cursor.execute("SELECT datcollate, datctype FROM pg_database WHERE datname = 'postgres'")
    print(*cursor.fetchone())
    connection.close()
"""


class AnyService(BaseHTTPRequestHandler):
    """Answers whatever is asked as SQS does for the list of its queues."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.dumps({"QueueUrls": ["http://queue"]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815  The standard library's word.

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), AnyService) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def run(program: str, *arguments: str, **outside: str) -> str:
    """What *program* prints in the shell of a developer who has *outside* set."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**{n: os.environ[n] for n in surroundings.FILES if n in os.environ}, **outside},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_client_of_a_shop_follows_the_developers_settings(url: str) -> None:
    told = json.loads(run(CLIENTS, url, **HOSTILE))

    assert told == {
        "database": "postgres",
        "http": 200,
        "queues": ["http://queue"],
        "sampled": True,
        "attributes": {"one": 1, "two": 2},
        "zone": "UTC",
    }


def test_a_tests_postgresql_has_the_shops_locale_and_zone_whatever_the_shells() -> None:
    told = run(SETTINGS_OF_THE_SERVER, TZ="Asia/Kathmandu", LC_ALL="C.UTF-8").splitlines()

    assert told[:3] == ["timezone UTC", "log_timezone UTC", "lc_messages C"]
    assert told[4:] == ["server_encoding UTF8", "C C"]


def test_settings_that_are_documented_stay_and_no_other() -> None:
    ours = {"CARTWRIGHT_HOME": "/shop", "CONFORMANCE_REQUIRED": "all", "PORT": "3001", "CI": "1"}
    ours |= {"STOREFRONT_NODE": "/opt/node", "COOKIE_SECURE": "1"}

    seen = surroundings.visible({"PATH": "/bin", **ours, **HOSTILE})

    kept = {"PATH", *ours, surroundings.NETWORK_VARIABLE}
    assert set(seen) == kept | set(surroundings.NOBODYS_AWS) | set(surroundings.LOCALE)
    assert seen.items() >= ours.items()


def test_to_clean_again_changes_nothing() -> None:
    once = surroundings.visible(HOSTILE)

    assert surroundings.visible(once) == once


def test_an_installer_has_the_developers_network(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = surroundings.visible({**HOSTILE, "UV_INDEX_URL": "https://index.example"})
    monkeypatch.setenv(surroundings.NETWORK_VARIABLE, seen[surroundings.NETWORK_VARIABLE])

    for_uv = surroundings.of_installers()

    assert seen["UV_INDEX_URL"] == "https://index.example"
    network = ("HTTP_PROXY", "https_proxy", "ALL_PROXY", "SSL_CERT_FILE")
    assert {name: for_uv[name] for name in network} == {name: HOSTILE[name] for name in network}
    assert "PGSERVICE" not in for_uv


@pytest.mark.parametrize(
    "asked",
    [
        {"CONFORMANCE_AWS": "yes"},
        {"CARTWRIGHT_ENDPOINTS": "shop.json"},
        {"CARTWRIGHT_STAFF_TOKEN": "token"},
    ],
    ids=lambda asked: next(iter(asked)),
)
def test_who_asks_for_what_is_elsewhere_has_an_account_and_a_way_out(asked: dict[str, str]) -> None:
    seen = surroundings.visible({**HOSTILE, **asked, "NO_PROXY": "intranet"})

    assert (seen["AWS_PROFILE"], seen["https_proxy"]) == ("work", NOWHERE)
    assert seen["NO_PROXY"] == seen["no_proxy"] == "intranet,127.0.0.1,localhost,::1"
    assert "AWS_ACCESS_KEY_ID" not in seen
    assert not {"ALL_PROXY", "PGSERVICE", "OTEL_SDK_DISABLED"} & set(seen)
    assert surroundings.visible(seen) == seen


@pytest.mark.parametrize("shop", ["running", "compose", ""])
def test_a_shop_of_this_machine_is_not_elsewhere(shop: str) -> None:
    assert "AWS_PROFILE" not in surroundings.visible({**HOSTILE, "CARTWRIGHT_ENDPOINTS": shop})


def test_aws_is_asked_only_by_the_word_yes() -> None:
    assert "AWS_PROFILE" not in surroundings.visible({**HOSTILE, "CONFORMANCE_AWS": "no"})


def test_a_process_of_a_stack_sees_its_files_only() -> None:
    seen = surroundings.of_stacks({"PATH": "/bin", "CARTWRIGHT_HOME": "/shop", **HOSTILE})

    assert seen == {"PATH": "/bin", **surroundings.NOBODYS_AWS, **surroundings.LOCALE}


def test_this_run_of_pytest_is_clean() -> None:
    assert surroundings.visible(os.environ) == dict(os.environ)


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_entry_cleans(entry: str) -> None:
    assert "surroundings.clean()" in (ROOT / entry).read_text(encoding="utf-8")


def test_pytest_cleans_before_it_loads_what_is_tested() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    options = settings["tool"]["pytest"]["addopts"]
    plugins = [after for before, after in itertools.pairwise(options) if before == "-p"]

    assert next(name for name in plugins if not name.startswith("no:")) == "harness.pytest_entry"
