"""How an embedded stack comes up: what starts when, and what waits for what. A plan only."""

import asyncio
from pathlib import Path

from harness import outline
from harness.endpoints import Endpoints
from harness.launch import Launch
from harness.providers import embedded_specs as specs
from harness.providers import ports, postgres
from harness.providers.embedded_setting import Setting, secret_names
from harness.supervision import Supervisor


async def bring_up(supervisor: Supervisor, launch: Launch) -> Endpoints:
    """The plan. Everything starts at once; what needs something waits for just that."""
    setting = _setting(supervisor, launch)
    emulator_env = Path(launch.options["emulator_env"])
    await supervisor.start(specs.aws(setting, emulator_env), specs.cache(setting))
    await asyncio.sleep(0)  # These run now, while we may be busy with initdb.
    server = postgres.installation(supervisor.home.path / "postgres")
    if server.note:
        supervisor.notes.append(server.note)
    postgres.initialise(server, setting.secrets[postgres.SUPERUSER])
    simulators = specs.simulators(setting)
    await supervisor.start(specs.database(setting, server), *simulators)
    await asyncio.gather(_database(supervisor, setting), _messaging(supervisor, setting))
    endpoints = specs.endpoints(setting)
    services = specs.service_processes(setting, endpoints)
    await supervisor.start(*services)
    await supervisor.ready("redis", *(spec.name for spec in [*simulators, *services]))
    return endpoints


def _setting(supervisor: Supervisor, launch: Launch) -> Setting:
    home, repo_root = supervisor.home, Path(launch.repo_root)
    shop = outline.read(repo_root, home)
    usual = shop.ports
    chosen = ports.choose(usual, home.read_ports(), ephemeral=launch.options["ephemeral_ports"])
    home.write_ports(chosen)
    # Nobody looks for an ephemeral stack at the usual ports.
    expected = {} if launch.options["ephemeral_ports"] else usual
    supervisor.ports = {"usual": expected, "used": chosen}
    for folder in ("redis", "emulator", "payment-provider", "mailbox"):
        (home.path / folder).mkdir(mode=0o700, exist_ok=True)
    services = launch.options["services"] or list(shop.services)
    # Roles exist for every service, whichever of them run this time.
    secrets = home.secrets(secret_names(list(shop.services)))
    return Setting(home, repo_root, shop, services, chosen, secrets, launch.options["environment"])


async def _database(supervisor: Supervisor, setting: Setting) -> None:
    await supervisor.ready("postgres")
    await supervisor.job(specs.database_job(setting))
    migrations = specs.migrations_job(setting)
    if migrations:
        await supervisor.job(migrations)


async def _messaging(supervisor: Supervisor, setting: Setting) -> None:
    await supervisor.ready("emulator")
    await supervisor.job(specs.messaging_job(setting))
