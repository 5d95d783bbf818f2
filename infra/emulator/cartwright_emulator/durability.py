"""Queues and topics over a restart. MiniStack writes its whole state as JSON; this decides when.

Saved at a clean stop. A crash (SIGKILL) loses everything since then, unless EMULATOR_SAVE_EVERY_S
is set: off by default because each save copies and rewrites every queue while nothing else is
served: 0.12 s for 1,000 messages.
"""

import asyncio
import os

import sqs_addresses
from ministack import app as ministack_app
from ministack.core import persistence


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


async def _save_every(every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        save()
