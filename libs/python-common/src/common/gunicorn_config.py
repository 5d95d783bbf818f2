"""How gunicorn serves a service.

`gunicorn -c python:common.gunicorn_config 'order.app:create_app()'`
"""

import os
import resource
import signal
import threading
from types import FrameType
from typing import Any

from common import drain, tracing

bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
# A slow client may not hold a thread (ADR-0025).
worker_class = "common.gunicorn_worker.BufferingThreadWorker"
workers = int(os.environ.get("WEB_WORKERS", "1"))
# As many as there are database connections in the pool, so that no thread waits for one.
threads = int(os.environ.get("WEB_THREADS", "8"))
# Idle ones, above all. Whoever comes then waits until one goes.
CONNECTIONS_MAX = 1000
# What a process has open besides: databases, queues, large bodies on the disk.
OTHER_FILES_MAX = 200


def _files_max() -> int:
    """How many files this process may have open. A shell gives it 1,024, and one more connection
    would end the worker, with all the others; more is taken where the machine lets it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS_MAX + OTHER_FILES_MAX
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


worker_connections = max(_files_max() - OTHER_FILES_MAX, 2 * threads)
# A short queue: what cannot be served soon is better refused to a client that retries.
backlog = 64
# Longer than a load balancer's idle timeout (60 s), so that the balancer closes idle ones.
keepalive = 65
timeout = 30
graceful_timeout = 20
# Recycling workers resets connections of the gthread worker (gunicorn issue 3038).
max_requests = 0
limit_request_line = 4094
limit_request_fields = 100
limit_request_field_size = 8190
# Two services on one host would fight over the one default socket.
control_socket_disable = True
# Nobody before us sets SCRIPT_NAME or PATH_INFO, and a neighbour on this host must not.
forwarder_headers = ""
# The kernel would wait for a slow reader without end; our socket does not.
sendfile = False
accesslog = None
logger_class = "common.gunicorn_logs.JsonLogger"
loglevel = "warning"
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108  Heartbeats off disk.

# How long a draining instance says so before it stops accepting: a balancer's check interval.
DRAIN_S = float(os.environ.get("DRAIN_S", "5"))


def post_worker_init(worker: Any) -> None:
    """On SIGTERM answer 503 on /readyz for DRAIN_S, and only then stop accepting.

    Stopping at once resets the connections that wait in the backlog (gunicorn issue 922).
    """

    def stop(signum: int, frame: FrameType | None) -> None:
        drain.start_draining()
        timer = threading.Timer(DRAIN_S, worker.handle_exit, (signum, frame))
        timer.daemon = True
        timer.start()

    signal.signal(signal.SIGTERM, stop)


def worker_exit(_server: Any, _worker: Any) -> None:
    """Give up what would go on for minutes, told or not (SIGINT), and send the buffered spans."""
    drain.start_draining()
    tracing.flush()
