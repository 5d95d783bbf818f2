"""`make audit` goes red for an advisory, and says so when it could not ask."""

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from harness.process import surroundings

ROOT = Path(__file__).parents[3]
# It asks the index, too, which is wherever the developer's settings say; we are here, and may be
# asked by who is told to ask nobody.
HERE_DIRECTLY = {
    "UV_HTTP_RETRIES": "0", "UV_OFFLINE": "0", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1",
}  # fmt: skip
ADVISORY = {"id": "PYSEC-0000-1", "modified": "2026-01-01T00:00:00Z", "summary": "planted"}


class Osv(BaseHTTPRequestHandler):
    """As much of osv.dev as `uv audit` asks: gunicorn has an advisory if the server says so."""

    server: "OsvServer"

    def do_POST(self) -> None:
        queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        found = [q["package"]["name"] == self.server.vulnerable for q in queries]
        self._answer({"results": [{"vulns": [ADVISORY]} if hit else {} for hit in found]})

    def do_GET(self) -> None:
        self._answer(ADVISORY | {"affected": []})

    def _answer(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: pytest shows what matters."""


class OsvServer(ThreadingHTTPServer):
    vulnerable = ""


@pytest.fixture
def osv() -> Iterator[OsvServer]:
    with OsvServer(("127.0.0.1", 0), Osv) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def audit(service: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--silent", "audit", f"AUDIT=--service-url {service}", *options]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=surroundings.of_installers() | HERE_DIRECTLY,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_an_advisory_fails_the_build_and_is_named(osv: OsvServer) -> None:
    osv.vulnerable = "gunicorn"

    done = audit(f"http://127.0.0.1:{osv.server_port}")

    assert done.returncode != 0
    assert "PYSEC-0000-1" in done.stdout + done.stderr


def test_nothing_known_passes(osv: OsvServer) -> None:
    done = audit(f"http://127.0.0.1:{osv.server_port}")

    assert done.returncode == 0
    assert "no known advisories" in done.stdout


def test_nobody_to_ask_is_said_and_is_an_error_where_it_has_to_work() -> None:
    nobody = "http://127.0.0.1:1"

    lenient, strict = audit(nobody), audit(nobody, "AUDIT_REQUIRED=1")

    assert lenient.returncode == 0
    assert "NOT AUDITED" in lenient.stdout
    assert strict.returncode != 0
