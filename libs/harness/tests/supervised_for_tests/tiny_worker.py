"""`python -m tiny_worker`: writes what it is to its log, and waits for a signal."""

import json
import os
import signal
import sys
import threading

import uuid_utils

if "--with-child" in sys.argv and os.fork() == 0:
    signal.pause()

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
facts = {
    "arguments": sys.argv[1:],
    "environment": os.environ.get("GREETING"),
    "threads": threading.active_count(),
    "session_leader": os.getsid(0) == os.getpid(),
    "is_warm": "sqlalchemy" in sys.modules,
    "random_id": str(uuid_utils.uuid7()),
}
print(json.dumps(facts), flush=True)  # noqa: T201  Its log is what the test reads.
signal.pause()
