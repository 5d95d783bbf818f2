"""What every stack of ours does alike on its way up, whatever it stands on."""

import asyncio
import json
from pathlib import Path

from harness.faults import places
from harness.process import ports, remedies
from harness.process.endpoints import Endpoints
from harness.process.failure import StackDidNotStart
from harness.process.spec import ProcessSpec
from harness.process.stack_config import Launch
from harness.process.supervision import Supervisor
from harness.providers import shop_specs as specs
from harness.providers.setting import Setting, secret_names
from harness.topology import summary

# Where the simulators and the cache may write.
FOLDERS = ("redis", "emulator", "payment-provider", "mailbox")


def setting(
    supervisor: Supervisor, launch: Launch, provider: str, *, takes_metrics: bool = True
) -> Setting:
    home, repo_root = supervisor.home, Path(launch.repo_root)
    shop = summary.read(repo_root, home)
    usual = shop.ports
    if launch.options.get("faults"):
        usual |= places.usual_ports(usual, shop.services)
    ephemeral = launch.options["ephemeral_ports"]
    chosen = ports.choose(usual, home.read_ports(), ephemeral=ephemeral)
    home.write_ports(chosen)
    # Nobody looks for an ephemeral stack at the usual ports.
    expected = {} if launch.options["ephemeral_ports"] else usual
    supervisor.ports = {"usual": expected, "used": chosen}
    for folder in FOLDERS:
        (home.path / folder).mkdir(mode=0o700, exist_ok=True)
    return Setting(
        provider,
        home,
        repo_root,
        shop,
        launch.options["services"] or list(shop.services),
        chosen,
        # Roles exist for every service, whichever of them run this time.
        home.secrets(secret_names(list(shop.services))),
        launch.options["environment"],
        takes_metrics,
    )


async def open_shop(
    supervisor: Supervisor, setting: Setting, database: ProcessSpec, aws: ProcessSpec
) -> Endpoints:
    """Fill what runs, or starts, already, and start the services on it.

    database, aws: what to wait for before roles and tables, and before topics and queues, are made.
    """
    await asyncio.gather(
        _fill_database(supervisor, setting, database.name),
        _make_queues(supervisor, setting, aws.name),
    )
    if setting.is_faulty:
        await supervisor.start(specs.faults(setting))
        await supervisor.ready(places.DESK)
    endpoints = specs.endpoints(setting)
    services = specs.service_processes(setting, endpoints)
    await supervisor.start(*services)
    await supervisor.ready(*supervisor.pids())
    await self_test(supervisor, setting, endpoints)
    return endpoints


async def self_test(supervisor: Supervisor, setting: Setting, endpoints: Endpoints) -> None:
    """That everything answers proves nothing of what lies between (ADR-0022).

    Raises `StackDidNotStart` for the first part that does not work, with what else does not.
    """
    result = setting.home.path / "self-test.json"
    await supervisor.job(specs.self_test_job(setting, endpoints, result))
    failures = json.loads(result.read_text())
    if not failures:
        return
    processes = supervisor.to_json()["processes"]
    named = {process["port"]: name for name, process in processes.items() if process["port"]}
    told = [
        (named.get(setting.ports.get(failure["part"]), failure["part"]), failure["reason"])
        for failure in failures
    ]
    process, reason = told[0]
    log = setting.home.log_tail(process)
    raise StackDidNotStart(
        process,
        "; ".join([reason, *(" ".join(other) for other in told[1:])]),
        log,
        failures[0]["fix"] or remedies.remedy(process, log),
    )


async def _fill_database(supervisor: Supervisor, setting: Setting, name: str) -> None:
    await supervisor.ready(name)
    await supervisor.job(specs.database_job(setting))
    migrations = specs.migrations_job(setting)
    if migrations:
        await supervisor.job(migrations)


async def _make_queues(supervisor: Supervisor, setting: Setting, name: str) -> None:
    await supervisor.ready(name)
    await supervisor.job(specs.messaging_job(setting))
