"""The whole embedded stack for real, with services that do nothing. Starts it three times."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import boto3
import fake_shop
import httpx
import psutil
import psycopg2
import pytest
import redis
from harness import stack
from harness.eventually import eventually
from harness.process import control, supervisor
from harness.process.endpoints import Endpoints
from harness.process.home import Home, whole_lines
from harness.providers import emulator
from harness.providers.choice import provider_of
from harness.providers.role_names import AUDITOR, every_role
from harness.topology import summary

REPOSITORY = Path(__file__).parents[3]
GONE_WITHIN_S = 60


@pytest.fixture(scope="module")
def python_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_shop.write(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def repo_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout's infrastructure without its services, so that no real migration runs."""
    root = tmp_path_factory.mktemp("repository")
    (root / "infra").symlink_to(REPOSITORY / "infra")
    return root


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return home_in(tmp_path_factory.mktemp("home"))


def home_in(home: Path) -> Path:
    """*home*, with the emulator installed."""
    # Once for all tests of the emulator: it takes 25 MB from the network.
    installed = emulator.install(REPOSITORY, REPOSITORY / ".cartwright", emulator.find_uv())
    (home / "emulator-env").symlink_to(installed)
    return home


@pytest.fixture(scope="module")
def held() -> Iterator[ExitStack]:
    with ExitStack() as held:
        yield held


@pytest.fixture
def running(held: ExitStack, home: Path, repo_root: Path, python_path: Path) -> Endpoints:
    """Whole, whatever the test before has killed: all of it, or a part that comes back."""
    if stack.endpoints(home) is None:
        started = stack.running(home, repo_root=repo_root, python_path=[python_path])
        held.enter_context(started)
    eventually(lambda: not missing(home), GONE_WITHIN_S, "every process")
    endpoints = stack.endpoints(home)
    assert endpoints
    return endpoints


def missing(home: Path) -> list[str]:
    """Who is not ready. A pool meets the dead connections it still holds first, at its service."""
    state = Home(home).read_state() or {"processes": {"supervisor": {"state": "gone"}}}
    down = [name for name, one in state["processes"].items() if one["state"] != "ready"]
    services = {} if down else state["endpoints"]["services"]
    return down + [
        name for name, url in services.items() if httpx.get(f"{url}/readyz").status_code != 200
    ]


def test_every_service_is_ready_and_listens_where_no_other_stack_does(running: Endpoints) -> None:
    usual = set(summary.validated(REPOSITORY / summary.TOPOLOGY).ports.values())

    answers = {name: httpx.get(f"{url}/readyz") for name, url in running.services.items()}

    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(
        fake_shop.SERVICES, 200
    )
    assert not usual & {httpx.URL(url).port for url in running.services.values()}


def test_a_service_is_told_its_database_queues_and_neighbours(running: Endpoints) -> None:
    told = httpx.get(f"{running.services['order']}/environment").json()

    assert told["QUEUE_URL"] == running.queue_urls["order-inbox"]
    assert told["DEAD_LETTER_QUEUE_URL"] == running.dead_letter_queue_urls["order-inbox"]
    assert told["TOPIC_ARN"] == running.topic_arns["order-events"]
    assert told["CATALOG_URL"] == running.services["catalog"]
    assert "order_service:" in told["DATABASE_URL"]
    assert (told["SERVICE_ROLE"], told["JWT_SECRET"]) == ("web", running.jwt_secret)


def test_the_developers_own_environment_does_not_leak_in(running: Endpoints) -> None:
    told = httpx.get(f"{running.services['auth']}/environment").json()

    assert "PYTEST_CURRENT_TEST" not in told
    assert told["AWS_CONFIG_FILE"] == "/dev/null"


def test_the_infrastructure_answers_at_its_endpoints(running: Endpoints) -> None:
    assert redis.Redis.from_url(running.redis_url).ping()
    for url in (running.payment_provider_url, running.mailbox_url, running.trace_query_url):
        assert httpx.get(f"{url}/healthz").status_code == 200
    sqs = boto3.client(
        "sqs",
        endpoint_url=running.aws_endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    assert set(sqs.list_queues()["QueueUrls"]) == {
        *running.queue_urls.values(),
        *running.dead_letter_queue_urls.values(),
    }


def test_the_database_has_a_role_for_everybody(running: Endpoints) -> None:
    for dsn, role in ((running.postgres_dsn, "postgres"), (running.auditor_dsn, AUDITOR)):
        connection = psycopg2.connect(dsn)
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user, current_setting('fsync')")
            assert cursor.fetchone() == (role, "on")
            cursor.execute("SELECT rolname FROM pg_roles")
            assert set(every_role(fake_shop.SERVICES)) <= {row[0] for row in cursor.fetchall()}
        connection.close()


def test_a_running_stack_is_found_and_not_started_twice(running: Endpoints, home: Path) -> None:
    with stack.running(home) as found:
        assert found.services == running.services

    assert stack.endpoints(home) is not None, "leaving the block must not stop what it only found"


@pytest.mark.parametrize("name", ["order-web", "order-worker", "postgres", "emulator"])
def test_whatever_is_killed_comes_back_in_its_place(
    running: Endpoints, home: Path, name: str
) -> None:
    killed = supervisor.kill(home, name, signal.SIGKILL)

    eventually(lambda: is_ready_again(home, name, killed), GONE_WITHIN_S, f"{name} to come back")
    # The pool of a service meets the dead connections it still holds first.
    eventually(
        lambda: httpx.get(f"{running.services['order']}/readyz").status_code == 200,
        GONE_WITHIN_S,
        "order to be ready",
    )


def is_ready_again(home: Path, name: str, killed: int) -> bool:
    process = (Home(home).read_state() or {})["processes"][name]
    return bool(process["state"] == "ready" and process["pid"] != killed)


@pytest.mark.parametrize("name", ["mailbox", "payment-provider"])
def test_who_stands_still_answers_nobody_until_they_go_on(
    running: Endpoints, home: Path, name: str
) -> None:
    """gunicorn's workers serve, and not the process that has the name."""
    url = {"mailbox": running.mailbox_url, "payment-provider": running.payment_provider_url}[name]

    control.freeze(home, name)
    try:
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(url, timeout=1.0)
    finally:
        control.thaw(home, name)

    assert httpx.get(url, timeout=GONE_WITHIN_S).status_code < 500


# Has made a process that has ended, and will not notice before it goes on.
PARENT = """
import subprocess, sys
ended = subprocess.Popen(["true"])
print(ended.pid, flush=True)
sys.stdin.read()
"""


def test_who_has_made_a_process_that_ended_stands_still_and_goes_on(tmp_path: Path) -> None:
    """As the emulator makes one at each save."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout
        ended = psutil.Process(int(parent.stdout.readline()))
        process = psutil.Process(parent.pid)
        Home(tmp_path).write_state(
            {"processes": {"it": {"pid": parent.pid, "create_time": process.create_time()}}}
        )
        eventually(lambda: ended.status() == psutil.STATUS_ZOMBIE, GONE_WITHIN_S)

        control.freeze(tmp_path, "it")
        stood = process.status()
        control.thaw(tmp_path, "it")

        assert (stood, ended.status()) == (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)
        eventually(lambda: process.status() != psutil.STATUS_STOPPED, GONE_WITHIN_S)
        parent.communicate()


def test_a_killed_supervisor_leaves_nothing_and_the_next_start_is_clean(
    running: Endpoints, home: Path, repo_root: Path, python_path: Path
) -> None:
    killed = supervisor.kill(home, "order-web", signal.SIGKILL)
    eventually(lambda: is_ready_again(home, "order-web", killed), GONE_WITHIN_S, "order-web")
    state = Home(home).read_state() or {}
    tree = psutil.Process(state["supervisor"]["pid"]).children(recursive=True)
    before = {p.pid: {"pid": p.pid, "create_time": p.create_time()} for p in tree}
    assert {p["pid"] for p in state["processes"].values()} <= before.keys()

    psutil.Process(state["supervisor"]["pid"]).kill()

    eventually(
        lambda: not [p for p in before.values() if control.same_process(p)],
        GONE_WITHIN_S,
        "every process to end",
    )
    with stack.running(home, repo_root=repo_root, python_path=[python_path]) as again:
        assert again.services == running.services, "a warm start keeps its ports"
        assert again.queue_urls == running.queue_urls
        exits = [json.loads(line) for line in whole_lines(Home(home).restarts_file)]
        assert ("order-web", killed) in {(line["process"], line["pid"]) for line in exits}
    assert stack.endpoints(home) is None


@pytest.fixture
def home_to_leave(tmp_path: Path, repo_root: Path) -> Iterator[Path]:
    home = home_in(tmp_path)
    yield home
    provider_of(Home(home))(Home(home), repo_root).stop()


# It is meant to run on when nobody here holds it any more.
@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_a_stack_that_is_left_running_is_bound_to_nobody(
    home_to_leave: Path, repo_root: Path, python_path: Path
) -> None:
    home = home_to_leave
    left = stack.left_running(home, repo_root=repo_root, python_path=[python_path])

    supervisor_pid = (Home(home).read_state() or {})["supervisor"]["pid"]
    assert "--die-with" not in psutil.Process(supervisor_pid).cmdline()
    with stack.running(home) as found:
        assert found.services == left.services
    assert stack.endpoints(home) is not None
