"""Whether this process is on its way out: not ready first, then stop accepting, then finish."""

import threading

_draining = threading.Event()


def start_draining() -> None:
    _draining.set()


def is_draining() -> bool:
    return _draining.is_set()
