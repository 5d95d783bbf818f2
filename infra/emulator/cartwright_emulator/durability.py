"""Queues and topics over a restart. MiniStack writes its whole state as JSON; this decides when.

Saved at a clean stop. A crash (SIGKILL) loses everything since then, unless EMULATOR_SAVE_EVERY_S
is set: off by default. A save copies and writes every queue, a second for 10,000 messages, so it
is done by a copy of the process (fork(2), as Redis does BGSAVE) while this one goes on serving.
"""

import asyncio
import contextlib
import logging
import os
import signal
import time
from typing import NoReturn

import parent_watch
import sqs_addresses
from ministack import app as ministack_app
from ministack.core import persistence

# A backlog that takes long to write is written more rarely, and costs a fifth of a core.
PAUSES_PER_SAVE = 4
POLL_S = 0.02
# One that takes longer will never end.
WRITTEN_WITHIN_S = 60.0
OWN_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)

logger = logging.getLogger(__name__)


def load() -> None:
    if persistence.PERSIST_STATE:
        ministack_app._load_persisted_state()
        sqs_addresses.rebase()


def save() -> None:
    if persistence.PERSIST_STATE:
        persistence.save_all(ministack_app._build_persistence_save_dict())


def start_saving() -> asyncio.Task[None] | None:
    """The running task that saves every EMULATOR_SAVE_EVERY_S seconds, or None when that is
    unset.
    """
    every_s = float(os.environ.get("EMULATOR_SAVE_EVERY_S") or 0)
    return asyncio.create_task(_save_every(every_s)) if every_s else None


async def stop_saving(saving: asyncio.Task[None] | None) -> None:
    """What is being written is given up: two that write at once would spoil one file."""
    if saving is not None:
        saving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await saving


async def _save_every(every_s: float) -> None:
    pause_s = every_s
    while True:
        await asyncio.sleep(pause_s)
        began = time.monotonic()
        try:
            await _save_aside()
        except OSError as error:  # No fork, or no end: the next one may do better.
            logger.error("Not saved: %s", error)
        pause_s = max(every_s, PAUSES_PER_SAVE * (time.monotonic() - began))


async def _save_aside() -> None:
    """Raises OSError if the copy did not come to its end; what it cannot write is logged there."""
    parent = os.getpid()
    writer = os.fork()
    if not writer:
        _write_and_end(parent)
    give_up_at = time.monotonic() + WRITTEN_WITHIN_S
    try:
        while (ended := os.waitpid(writer, os.WNOHANG)) == (0, 0):
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"not written within {WRITTEN_WITHIN_S:.0f} s")
            await asyncio.sleep(POLL_S)
    except BaseException:
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        raise
    if code := os.waitstatus_to_exitcode(ended[1]):
        raise ChildProcessError(f"who was to write it ended with {code}")


def _write_and_end(parent: int) -> NoReturn:
    try:
        _leave_alone(parent)
        save()
    except BaseException:
        logger.exception("Not saved")
        os._exit(1)
    os._exit(0)


def _leave_alone(parent: int) -> None:
    """In the copy: nobody's connection stays open, nor the port taken, because we hold it too."""
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    signal.set_wakeup_fd(-1)
    for name in OWN_SIGNALS:
        signal.signal(name, signal.SIG_DFL)
    parent_watch.end_with(parent)
