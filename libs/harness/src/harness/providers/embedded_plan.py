"""How an embedded stack comes up: what starts when, and what waits for what. A plan only."""

import asyncio
from pathlib import Path

import psutil

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
        forget_stranger(server.data_dir / "postmaster.pid")
    except (postgres.PostgresDidNotStart, NoUnprivilegedUser, PermissionError) as error:
        log = str(error).splitlines()
        fix = remedies.remedy("postgres", log)
        raise StackDidNotStart("postgres", f"cannot be set up: {log[0]}", log, fix) from error
    return server


def forget_stranger(pid_file: Path) -> None:
    """Without a shutdown of its own PostgreSQL leaves its pid, which may be somebody else's by
    now, in containers soon. The next one takes whoever has it for itself, and does not start.
    """
    try:
        owner = psutil.Process(int(pid_file.read_text().splitlines()[0]))
        if str(pid_file.parent) not in owner.cmdline():
            pid_file.unlink()
    except (FileNotFoundError, ValueError, IndexError, psutil.NoSuchProcess):
        return  # Nothing that would keep it from starting.
