"""Linux's promise that a process dies with its parent, so that no crash leaves an orphan."""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15

# Loaded now: after a fork is no time to look for libraries.
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int, with_signal: signal.Signals) -> None:
    """Ask the kernel to send *with_signal* to this process when the thread that made it ends.

    parent: its pid; if it is gone already, this process ends here. Survives exec, but neither
    a fork nor a change of user: call it after both (prctl(2), PR_SET_PDEATHSIG).
    """
    if _libc.prctl(_PR_SET_PDEATHSIG, int(with_signal), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        os._exit(1)


def keep_children_mortal() -> None:
    """From now on every process this one forks dies with it, at once.

    For gunicorn, whose workers look for their master once a second and keep its port until then.
    """
    # Asked before each fork: the child cannot ask who its parent was when it may be dead.
    parents: list[int] = []
    os.register_at_fork(
        before=lambda: parents.append(os.getpid()),
        after_in_parent=parents.clear,
        after_in_child=lambda: die_with_parent(parents.pop(), signal.SIGKILL),
    )


def name_this_process(name: str) -> None:
    """What `ps` and `top` show; the kernel keeps 15 bytes."""
    _libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)
