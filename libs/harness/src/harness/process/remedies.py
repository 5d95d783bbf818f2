"""From a dead process's last words to what a person can do. Pure; reads no files."""

import re
from collections.abc import Sequence

_PORT_TAKEN = r"Address already in use|could not bind|EADDRINUSE|port is already allocated"
# The first that matches the end of the log wins, so the specific come first.
_REMEDIES: Sequence[tuple[str, str]] = (
    (
        _PORT_TAKEN,
        "Something else took its port, also after others were chosen: see who, `ss -ltnp`.",
    ),
    (r"No space left on device", "The disk is full: free some space, then `cartwright up`."),
    (
        r"could not resize shared memory|/dev/shm",
        "Shared memory is too small: give the container --shm-size=256m.",
    ),
    (r"No module named|ModuleNotFoundError|ImportError", "A package is missing: run `uv sync`."),
    (
        r"could not look up effective user ID",
        "This user id has no account, and PostgreSQL asks for one: run as a user of /etc/passwd.",
    ),
    (r"there is no user 'postgres'", "Make one: `useradd --system postgres`."),
    (
        r"was initialized by PostgreSQL version|incompatible with server",
        "The data is from another PostgreSQL: `cartwright down --wipe` deletes it.",
    ),
    (r"Can't locate revision", "The data is from a newer checkout: `cartwright down --wipe`."),
    (
        r"Cannot allocate memory|MemoryError",
        "Memory is short: stop something else, then `cartwright up`.",
    ),
)
_NO_REMEDY = "Read its log (all of it: `cartwright logs {process}`), and try `cartwright doctor`."


def remedy(process: str, log: Sequence[str]) -> str:
    """One sentence for the person whose start failed. log: the last lines *process* wrote."""
    text = "\n".join(log)
    for pattern, advice in _REMEDIES:
        if re.search(pattern, text):
            return advice
    return _NO_REMEDY.format(process=process)


def lost_its_port(log: Sequence[str]) -> bool:
    """Whether it died of that: ports are chosen before anybody binds them."""
    return re.search(_PORT_TAKEN, "\n".join(log)) is not None
