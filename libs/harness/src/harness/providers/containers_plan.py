"""How a stack on containers comes up: what starts when, and what waits for what. A plan only."""

import shutil
from pathlib import Path

from harness.process.endpoints import Endpoints
from harness.process.home import Home
from harness.process.stack_config import Launch
from harness.process.supervision import Supervisor
from harness.providers import container, images, shop_plan, shop_specs
from harness.providers import containers_specs as specs


async def bring_up(supervisor: Supervisor, launch: Launch) -> Endpoints:
    """The plan. All containers start at once, each by a keeper of its own."""
    _forget(supervisor.home)
    for name in container.remove_all(str(supervisor.home.path)):
        supervisor.notes.append(f"removed {name}, which a crash had left running")
    pinned = images.load(Path(launch.repo_root))
    setting = shop_plan.setting(supervisor, launch, "containers", takes_metrics=False)
    database, aws = specs.database(setting, pinned), specs.aws(setting, pinned)
    infrastructure = (database, aws, specs.cache(setting, pinned), specs.traces(setting, pinned))
    await supervisor.start(*infrastructure, *shop_specs.simulators(setting))
    return await shop_plan.open_shop(supervisor, setting, database, aws)


def _forget(home: Home) -> None:
    """The containers' data ends with their stack, so the simulators' must not outlive it."""
    for folder in ("payment-provider", "mailbox"):
        if (home.path / folder).exists():
            shutil.rmtree(home.path / folder)
