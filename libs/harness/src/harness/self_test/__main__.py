"""`python -m harness.self_test --topology T --result R`: every part at once, within a second.

The endpoints come as JSON in ENDPOINTS_VARIABLE, because they hold secrets. R gets the failures.
"""

import argparse
import json
import os
import secrets
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from harness.process.endpoints import Endpoints
from harness.self_test import ENDPOINTS_VARIABLE, messages, parts
from harness.self_test.failure import Failure
from harness.topology import model

# By what the topology calls the part that answers.
PARTS: dict[str, Callable[[Endpoints, str], None]] = {
    "mailbox": parts.mail,
    "payment-provider": parts.payment,
    "traces": parts.trace,
}


def look(endpoints: Endpoints, topology_file: Path) -> list[Failure]:
    """Empty if everything works."""
    token = secrets.token_hex(16)
    began = time.monotonic()
    failures = _failures(endpoints, topology_file, token)
    # Every trace of a shop is named in some log: that is how all its spans are found.
    line = {
        "event": "self_test",
        "trace_id": token,
        "seconds": round(time.monotonic() - began, 2),
        "failures": len(failures),
    }
    sys.stdout.write(json.dumps(line) + "\n")
    return failures


def _failures(endpoints: Endpoints, topology_file: Path, token: str) -> list[Failure]:
    with ThreadPoolExecutor() as pool:
        simple = {name: pool.submit(part, endpoints, token) for name, part in PARTS.items()}
        messaging = pool.submit(_messages, endpoints, topology_file, token)
        failures = [
            Failure(name, _words(error))
            for name, future in simple.items()
            if (error := future.exception())
        ]
        return failures + messaging.result()


def _messages(endpoints: Endpoints, topology_file: Path, token: str) -> list[Failure]:
    try:
        return messages.look(endpoints, model.load(topology_file), token)
    except Exception as error:  # noqa: BLE001  As for the other parts, it says who it was.
        return [Failure("aws", _words(error))]


def _words(error: BaseException) -> str:
    if isinstance(error, parts.Untrue):
        return str(error)
    first_line = (str(error).splitlines() or [""])[0]
    return f"failed its self-test ({type(error).__name__}: {first_line})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--topology", type=Path, required=True)
    parser.add_argument("--result", type=Path, required=True)
    options = parser.parse_args()
    endpoints = Endpoints.from_json(json.loads(os.environ[ENDPOINTS_VARIABLE]))
    failures = look(endpoints, options.topology)
    options.result.write_text(json.dumps([asdict(failure) for failure in failures]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
