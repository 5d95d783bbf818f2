"""The supervisor's process: `python -m harness.process.supervisor --home H`.

Holds the home's lock, clears up after a predecessor that crashed, listens for orders, and ends
with everything it started. What it supervises is the plan's business.
"""

import argparse
import asyncio
import contextlib
import importlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.process import parent_death
from harness.process.control import (
    CONTROL_SOCKET,
    control_address,
    end_leftovers,
    kill,
    restart,
    start,
    stop,
)
from harness.process.endpoints import Endpoints
from harness.process.failure import EXIT_IN_USE, GivenUp
from harness.process.home import Home, HomeInUse
from harness.process.stack_config import Launch
from harness.process.supervision import Plan, Supervisor

# Whoever asks whether somebody lives here holds the lock for less than a millisecond.
LOOKED_AT_S = 1.0

__all__ = ["kill", "restart", "start", "stop"]


async def supervise(home: Home, leftovers: list[str]) -> int:
    """Run the stack that the home's `Launch` plans until SIGTERM or SIGINT.

    Returns the exit code.
    """
    launch = Launch.read(home)
    base_env = launch.environment(os.environ)
    supervisor = Supervisor(home, base_env, Path(launch.repo_root))
    if leftovers:
        supervisor.notes.append(f"ended what a crash had left running: {', '.join(leftovers)}")
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, supervisor.stop_requested.set)
    with control_address(home.path) as address:
        Path(address).unlink(missing_ok=True)
        server = await asyncio.start_unix_server(
            lambda reader, writer: _obey(supervisor, base_env, reader, writer), address
        )
        Path(address).chmod(0o600)

    async def bring_up() -> Endpoints:
        await supervisor.start_fork_server()
        # Imported only now, so that the fork server's imports and the plan's use a core each.
        return await _load(launch.plan)(supervisor, launch)

    try:
        return await supervisor.run(bring_up)
    finally:
        server.close()
        (home.path / CONTROL_SOCKET).unlink(missing_ok=True)


async def _obey(
    supervisor: Supervisor,
    base_env: Mapping[str, str],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """One order a connection: ``{"action": "stop" or another, "name": a process}``.

    ``hold`` stops it until whoever asked hangs up, which the kernel does for one who dies.
    """
    order = json.loads(await reader.readline())
    answer: dict[str, Any] = {"error": None}
    try:
        match order["action"]:
            case "stop" | "hold":
                await supervisor.stop(order["name"])
            case "start":
                await supervisor.resume(order["name"])
            case "describe":
                spec = supervisor.spec(order["name"])
                env = {**base_env, **spec.env}
                answer |= {"kind": spec.kind, "argv": list(spec.argv), "env": env}
    except KeyError:
        answer["error"] = f"there is no process {order['name']!r}"
    except GivenUp as error:
        answer["error"] = str(error)
    is_held = order["action"] == "hold" and not answer["error"]
    try:
        supervisor.write_state()  # Whoever asked may look before the loop comes round.
        with contextlib.suppress(ConnectionError):  # It died, which is one way to hang up.
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
            if is_held:
                await reader.read()
    finally:
        writer.close()
        if is_held and not supervisor.stop_requested.is_set():
            await supervisor.resume(order["name"])


def _load(plan: str) -> Plan:
    module, _, function = plan.partition(":")
    loaded: Plan = getattr(importlib.import_module(module), function)
    return loaded


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m harness.process.supervisor", description=__doc__
    )
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--die-with", type=int, help="end when this process, our parent, does")
    options = parser.parse_args()
    parent_death.name_this_process("supervisor")
    if options.die_with:
        parent_death.die_with_parent(options.die_with, signal.SIGTERM)
    home = Home(options.home.resolve())
    home.create()
    try:
        with home.locked(within_s=LOOKED_AT_S):
            leftovers = end_leftovers(home.read_state() or {})
            return asyncio.run(supervise(home, leftovers))
    except HomeInUse as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_IN_USE


if __name__ == "__main__":
    sys.exit(main())
