"""What the processes of a stack cost: CPU seconds and memory, each with its children."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Usage:
    """cpu_s: user and system time so far. pss_bytes: memory, shared pages counted by share."""

    cpu_s: float
    pss_bytes: int


def usage(pids: Mapping[str, int]) -> dict[str, Usage]:
    """By process name; one that is gone is left out.

    A child that is also listed under a name of its own counts there only.
    """
    listed = set(pids.values())
    found = {}
    for name, pid in pids.items():
        try:
            parent = psutil.Process(pid)
            children = [c for c in parent.children(recursive=True) if c.pid not in listed]
        except psutil.NoSuchProcess:
            continue
        strays = _below_others(children, listed)
        costs = [_cost(p) for p in (parent, *children) if p.pid not in strays]
        found[name] = Usage(sum(c.cpu_s for c in costs), sum(c.pss_bytes for c in costs))
    return found


def own_usage() -> Usage:
    """This process: the simulator itself."""
    return _cost(psutil.Process(os.getpid()))


def _below_others(children: list[psutil.Process], listed: set[int]) -> set[int]:
    """Children that hang below a process with a name of its own (a zygote's grandchildren)."""
    strays: set[int] = set()
    for child in children:  # parents come before their children
        try:
            above = child.ppid()
        except psutil.NoSuchProcess:
            continue
        if above in strays or (above in listed and above != children[0].ppid()):
            strays.add(child.pid)
    return strays


def _cost(process: psutil.Process) -> Usage:
    try:
        times = process.cpu_times()
        memory = process.memory_full_info()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return Usage(0.0, 0)
    return Usage(times.user + times.system, int(getattr(memory, "pss", memory.rss)))
