"""How an embedded stack comes up: what starts when, and what waits for what. A plan only."""

import asyncio
from pathlib import Path

from harness.endpoints import Endpoints
from harness.launch import Launch
from harness.providers import embedded_specs as specs
from harness.providers import postgres, shop_plan, shop_specs
from harness.supervision import Supervisor


async def bring_up(supervisor: Supervisor, launch: Launch) -> Endpoints:
    """The plan. Everything starts at once; what needs something waits for just that."""
    setting = shop_plan.setting(supervisor, launch, "embedded")
    aws = specs.aws(setting, Path(launch.options["emulator_env"]))
    await supervisor.start(aws, specs.cache(setting))
    await asyncio.sleep(0)  # These run now, while we may be busy with initdb.
    server = postgres.installation(supervisor.home.path / "postgres")
    if server.note:
        supervisor.notes.append(server.note)
    postgres.initialise(server, setting.secrets[postgres.SUPERUSER])
    database = specs.database(setting, server)
    await supervisor.start(database, specs.traces(setting), *shop_specs.simulators(setting))
    return await shop_plan.open_shop(supervisor, setting, database, aws)
