"""The infrastructure of an embedded stack: one process each. Pure; starts nothing."""

import os
import signal
from pathlib import Path

from harness.process import readiness
from harness.process.spec import Kind, ProcessSpec
from harness.providers import emulator, postgres, shop_specs, valkey
from harness.providers.setting import Setting
from harness.providers.shop_specs import INFRASTRUCTURE

# What a killed emulator may lose at most, but for a backlog that takes longer to write.
EMULATOR_SAVE_EVERY_S = 1


def database(setting: Setting, server: postgres.Installation) -> ProcessSpec:
    async def probe(pid: int) -> bool:
        return postgres.is_ready(server, pid)

    return ProcessSpec(
        name="postgres",
        kind=Kind.EXEC,
        argv=postgres.command(server, setting.ports["postgres"]),
        port=setting.ports["postgres"],
        probe=probe,
        stop_signal=postgres.STOP_SIGNAL,
        death_signal=postgres.STOP_SIGNAL,
        account=server.account,
        layer=INFRASTRUCTURE,
    )


def cache(setting: Setting) -> ProcessSpec:
    port = setting.ports["redis"]
    return ProcessSpec(
        name="redis",
        kind=Kind.EXEC,
        argv=valkey.command(port, setting.home.path / "redis"),
        port=port,
        probe=readiness.valkey(port),
        layer=INFRASTRUCTURE,
    )


def aws(setting: Setting, emulator_env: Path) -> ProcessSpec:
    port = setting.ports["aws"]
    return ProcessSpec(
        name="emulator",
        kind=Kind.EXEC,
        argv=emulator.command(setting.repo_root, emulator_env),
        env={
            **emulator.environment(port, setting.home.path / "emulator"),
            "EMULATOR_SAVE_EVERY_S": str(EMULATOR_SAVE_EVERY_S),
            "EMULATOR_PUBLISH_JOURNAL": str(setting.home.publishes_file),
            "CARTWRIGHT_PARENT_PID": str(os.getpid()),
        },
        port=port,
        probe=readiness.http(port, emulator.HEALTH_PATH),
        # It saves its queues before it ends.
        death_signal=signal.SIGTERM,
        layer=INFRASTRUCTURE,
    )


def traces(setting: Setting) -> ProcessSpec:
    ports = {name: str(port) for name, port in setting.ports.items()}
    return shop_specs.simulator(
        *(setting, "trace-store", "traces", "simulators.trace_store"),
        *("--otlp-port", ports["otlp"], "--query-port", ports["traces"]),
        *("--data-dir", str(setting.home.path / "traces")),
    )
