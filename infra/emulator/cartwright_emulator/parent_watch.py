"""End with the parent process, however it ended. Linux only; elsewhere the supervisor must stop
us.
"""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable

# prctl(2), <linux/prctl.h>: the signal that this process gets when its parent ends.
PR_SET_PDEATHSIG = 1


def install(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    """Call `stop` when the process named by CARTWRIGHT_PARENT_PID is no longer our parent."""
    parent = int(os.environ.get("CARTWRIGHT_PARENT_PID", "0"))
    if not parent or not sys.platform.startswith("linux"):
        return

    # The kernel also signals when only the *thread* that started us ends (prctl(2), CAVEATS), so
    # the signal is a reason to look, not to stop.
    def look() -> None:
        if os.getppid() != parent:
            stop()

    loop.add_signal_handler(signal.SIGUSR1, look)
    _ask_for(signal.SIGUSR1)
    look()  # The parent may have ended before the kernel was asked.


def end_with(parent: int) -> None:
    """Be killed when `parent`, whose fork we are, ends."""
    if sys.platform.startswith("linux"):
        _ask_for(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _ask_for(name: signal.Signals) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, name) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
