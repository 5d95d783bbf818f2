"""How an embedded stack comes up: what starts when, and what waits for what. A plan only."""

import asyncio
from pathlib import Path

from harness.process import remedies
from harness.process.endpoints import Endpoints
from harness.process.failure import StackDidNotStart
from harness.process.stack_config import Launch
from harness.process.supervision import Supervisor
from harness.process.unprivileged import NoUnprivilegedUser
from harness.providers import embedded_specs as specs
from harness.providers import postgres, shop_plan, shop_specs
from harness.providers.setting import Setting


async def bring_up(supervisor: Supervisor, launch: Launch) -> Endpoints:
    """The plan. Everything starts at once; what needs something waits for just that."""
    setting = shop_plan.setting(supervisor, launch, "embedded")
    aws = specs.aws(setting, Path(launch.options["emulator_env"]))
    await supervisor.start(aws, specs.cache(setting))
    await asyncio.sleep(0)  # These run now, while we may be busy with initdb.
    server = _database_files(setting)
    if server.note:
        supervisor.notes.append(server.note)
    database = specs.database(setting, server)
    await supervisor.start(database, specs.traces(setting), *shop_specs.simulators(setting))
    return await shop_plan.open_shop(supervisor, setting, database, aws)


def _database_files(setting: Setting) -> postgres.Installation:
    """Raises `StackDidNotStart`, most often because of who we are or may be on this machine."""
    try:
        server = postgres.installation(setting.home.path / "postgres")
        postgres.initialise(server, setting.secrets[postgres.SUPERUSER])
    except (postgres.PostgresDidNotStart, NoUnprivilegedUser, PermissionError) as error:
        log = str(error).splitlines()
        fix = remedies.remedy("postgres", log)
        raise StackDidNotStart("postgres", f"cannot be set up: {log[0]}", log, fix) from error
    return server
