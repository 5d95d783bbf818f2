import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from common.testing import fixtures
from common.testing.servers import wait_until_it_listens

GUNICORN = (sys.executable, "-m", "gunicorn", "-c", "python:common.gunicorn_config")
ENDS_WITHIN_S = 20

Serve = Callable[..., int]


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Starts a real gunicorn: the source of a module with `app`, its threads, and where it logs;
    returns its port."""
    with ExitStack() as processes:

        def start(source: str, *, threads: int = 2, log: Path | None = None) -> int:
            folder = tmp_path_factory.mktemp("served")
            (folder / "served_app.py").write_text(source)
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port: int = free.getsockname()[1]
            out = processes.enter_context(log.open("wb")) if log else None
            process = subprocess.Popen(
                [*GUNICORN, "served_app:app"],
                cwd=folder,
                env={
                    "PORT": str(port),
                    "WEB_THREADS": str(threads),
                    "DRAIN_S": "0",
                    "PATH": "",
                    # A mutant's, if one is looked at.
                    "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
                },
                stdout=out,
                stderr=out,
            )
            processes.callback(process.wait, ENDS_WITHIN_S)
            processes.callback(process.terminate)
            wait_until_it_listens(process, port)
            return port

        yield start


database_url, db = fixtures.database("probe", Path(__file__).parent / "probe-service")
