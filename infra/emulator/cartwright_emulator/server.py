"""The process: binds loopback, serves MiniStack's application, ends promptly. Knows no queue.

MiniStack's own `main` also looks for Docker containers to remove, runs start-up scripts of the
machine and opens an MQTT port; none of it belongs to SNS and SQS, so its start and stop are
replaced by `serve`.
"""

import asyncio
import os
import signal
import sys

import browser_guard
import durability
import parent_watch
import sns_delivery
import sns_journal
import sns_limits
import sns_refusals
import sqs_arrivals
import sqs_delete
import sqs_limits
import sqs_receive
import sqs_redrive
import sqs_refusals
from hypercorn.asyncio import serve
from hypercorn.config import Config

LOOPBACK = "127.0.0.1"
# A connection that idles between two calls is kept this long: MiniStack's own value.
KEEP_ALIVE_S = 75
# Answers under way get this long at the end; open long polls are woken for theirs.
GRACE_S = 0.3


def run() -> None:
    """Serve until SIGTERM, SIGINT or the parent's end. Exits 1 when the port is taken."""
    if os.environ.get("BIND_HOST", LOOPBACK) != LOOPBACK:
        sys.exit(
            f"The emulator checks no signature, so it listens on {LOOPBACK} only: unset BIND_HOST."
        )
    for replacement in (
        sqs_arrivals,
        sqs_receive,
        sqs_delete,
        sqs_limits,
        sqs_refusals,
        sqs_redrive,
        sns_delivery,
        sns_journal,
        sns_limits,
        sns_refusals,
    ):
        replacement.install()
    port = int(os.environ.get("GATEWAY_PORT", "4566"))
    try:
        asyncio.run(_serve(port))
    except OSError as error:
        sys.exit(f"The emulator cannot listen on {LOOPBACK}:{port}: {error.strerror}")


async def _serve(port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        sqs_arrivals.stop()
        stop.set()

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, end)
    parent_watch.install(loop, end)
    durability.load()
    saving = durability.start_saving()
    await serve(browser_guard.application, _config(port), shutdown_trigger=stop.wait)
    await durability.stop_saving(saving)
    durability.save()


def _config(port: int) -> Config:
    config = Config()
    config.bind = [f"{LOOPBACK}:{port}"]
    config.keep_alive_timeout = KEEP_ALIVE_S
    config.graceful_timeout = GRACE_S
    config.loglevel = "WARNING"
    return config
