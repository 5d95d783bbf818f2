"""Which port each process gets: the usual one when it is free, else one that is."""

import random
import socket
from collections.abc import Callable, Mapping

HOST = "127.0.0.1"
# Below Linux's range for outgoing connections (32768–60999), so that no client is
# given our port between the moment we choose it and the moment a server binds it.
FREE_PORTS = range(20_000, 32_000)
# Far more than a machine has listeners; only a broken network stack gets there.
ATTEMPTS_MAX = 1_000


class NoFreePort(RuntimeError):
    pass


def is_free(port: int) -> bool:
    """Whether a server could listen there now. Connections in TIME_WAIT do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            # Linux lets two sockets bind with SO_REUSEADDR; only one of them may listen.
            probe.listen(1)
        except OSError:
            return False
        return True


def reserve(port: int) -> bool:
    """Whether it is free and, from now on, ours, as long as this process lives.

    Between choosing a port and binding it seconds pass. A stack that starts meanwhile and takes the
    same one would find our servers behind its own addresses, and handle our messages. The name in
    Linux's abstract namespace is of this network namespace, as the port is, and goes with us.
    """
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0cartwright/port/{port}")
    except OSError:
        name.close()
        return False
    if not is_free(port):
        name.close()
        return False
    name.detach()  # For the kernel to close, when this process ends.
    return True


def choose(
    usual: Mapping[str, int],
    remembered: Mapping[str, int],
    *,
    ephemeral: bool = False,
    free: Callable[[int], bool] = reserve,
) -> dict[str, int]:
    """One port for each name of *usual*, all different, and reserved.

    remembered: what was used last time; the second choice, so that bookmarks stay valid.
    ephemeral: never the usual ones, so that this stack meets no other one on the machine.
    Raises `NoFreePort`.
    """
    chosen: dict[str, int] = {}
    # Ports must differ between test sessions that run at the same time: nothing to replay here.
    candidates = random.SystemRandom()
    for name, port in usual.items():
        wanted = [] if ephemeral else [port]
        wanted += [remembered[name]] if name in remembered else []
        wanted += [candidates.choice(FREE_PORTS) for _ in range(ATTEMPTS_MAX)]
        taken = set(chosen.values()) | (set(usual.values()) - {port})
        found = next((p for p in wanted if p not in taken and free(p)), None)
        if found is None:
            raise NoFreePort(f"no free port for {name} in {FREE_PORTS.start}–{FREE_PORTS.stop}")
        chosen[name] = found
    return chosen
