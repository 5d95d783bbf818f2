"""Plans for a supervisor under test: small processes of every kind instead of a shop."""

import sys
from dataclasses import replace
from pathlib import Path

from harness.process import spec
from harness.process.endpoints import Endpoints
from harness.process.spec import Kind, ProcessSpec
from harness.process.stack_config import Launch
from harness.process.supervision import Supervisor
from harness.providers import shop_plan
from harness.providers.setting import Setting
from harness.topology import summary

REPOSITORY = Path(__file__).parents[4]
WAIT_FOR_EVER = "import signal; signal.pause()"
FAIL = "import sys; sys.exit('Address already in use')"
# However long a busy machine takes for five restarts, they are a crash loop.
spec.CRASH_LOOP_WINDOW_S = 600.0


def program(name: str, source: str, layer: int = 0) -> ProcessSpec:
    return ProcessSpec(name, Kind.EXEC, [sys.executable, "-c", source], layer=layer)


def nowhere(home: Path) -> Endpoints:
    text = dict.fromkeys(Endpoints.__dataclass_fields__, "")
    numbers_and_maps = {"smtp_port": 0, "pids": {}, "services": {}}
    return Endpoints.from_json({**text, **numbers_and_maps, "home": str(home)})


async def steady(supervisor: Supervisor, _launch: Launch) -> Endpoints:
    """A program, and two processes forked from the fork server, one of which forks another."""
    await supervisor.start(
        program("program", WAIT_FOR_EVER),
        program("neighbour", WAIT_FOR_EVER),
        ProcessSpec("forked", Kind.MODULE, ["tiny_worker", "--alone"], layer=3),
        ProcessSpec("forking", Kind.MODULE, ["tiny_worker", "--with-child"], layer=3),
    )
    await supervisor.ready("program", "neighbour", "forked", "forking")
    return nowhere(supervisor.home.path)


async def failing(supervisor: Supervisor, _launch: Launch) -> Endpoints:
    await supervisor.start(program("program", WAIT_FOR_EVER), program("broken", FAIL))
    await supervisor.stop_requested.wait()
    return nowhere(supervisor.home.path)


async def unlucky(supervisor: Supervisor, launch: Launch) -> Endpoints:
    """Loses its port as often as the home's file of that name says."""
    left = supervisor.home.path / "unlucky"
    times = int(left.read_text())
    left.write_text(str(times - 1))
    return nowhere(supervisor.home.path) if times < 1 else await failing(supervisor, launch)


async def silent(supervisor: Supervisor, _launch: Launch) -> Endpoints:
    """Whatever should answer a self-test is somebody who does not."""
    port = 1  # Nobody's (RFC 1078), and closed.
    await supervisor.start(
        replace(program("post-office", "print('closed', flush=True);" + WAIT_FOR_EVER), port=port)
    )
    setting = Setting(
        provider="tiny",
        home=supervisor.home,
        repo_root=REPOSITORY,
        summary=summary.read(REPOSITORY, supervisor.home),
        services=[],
        ports={"mailbox": port},
        secrets={},
    )
    there = nowhere(supervisor.home.path).to_json() | {"mailbox_url": f"http://127.0.0.1:{port}"}
    await shop_plan.self_test(supervisor, setting, Endpoints.from_json(there))
    return nowhere(supervisor.home.path)
