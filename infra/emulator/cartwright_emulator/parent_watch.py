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
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGUSR1) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    look()  # The parent may have ended before the kernel was asked.
