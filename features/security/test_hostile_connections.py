"""Bytes that are no HTTP, or two kinds of it at once: each ends its connection (RFC 9112 §11.2)."""

import socket
from urllib.parse import urlsplit

import pytest
from harness.process.endpoints import Endpoints
from security.operations import all_operations

SERVICES = sorted({operation.service for operation in all_operations()})
# Longer than a service waits for a request to arrive.
ANSWER_WITHIN_S = 12.0
# More than a header may be long (8 kB), and less than anybody would have to work for.
LONG = 9_000

# RFC 9112 §6.3, §5.2, §2.2: each could be two requests to one of two servers.
HEAD = "POST /readyz HTTP/1.1\r\nHost: shop\r\n"
SMUGGLING = {
    "cl-te": f"{HEAD}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "te-cl": f"{HEAD}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two-lengths": f"{HEAD}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "length-list": f"{HEAD}Content-Length: 5, 5\r\n\r\nhello",
    "signed-length": f"{HEAD}Content-Length: +5\r\n\r\nhello",
    "negative-length": f"{HEAD}Content-Length: -1\r\n\r\n",
    "hex-length": f"{HEAD}Content-Length: 0x5\r\n\r\nhello",
    "two-encodings": f"{HEAD}Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
    "hidden-encoding": f"{HEAD}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "space-before-colon": f"{HEAD}Content-Length : 5\r\n\r\nhello",
    "folded": f"{HEAD}X-A: b\r\n Content-Length: 5\r\n\r\nhello",
    "bad-chunk": f"{HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n0\r\n\r\n",
    "nul": f"{HEAD}X-A: a\x00b\r\n\r\n",
    "long-header": f"{HEAD}X-A: {'a' * LONG}\r\n\r\n",
    "many-headers": HEAD + "".join(f"X-{n}: a\r\n" for n in range(101)) + "\r\n",
    "long-line": f"GET /{'a' * LONG} HTTP/1.1\r\nHost: shop\r\n\r\n",
    "no-http": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}


# All seven run the same server; one shape for each shows that, all shapes for one the server.
AIMS = [("auth", shape) for shape in SMUGGLING] + [(s, "cl-te") for s in SERVICES if s != "auth"]


@pytest.mark.parametrize(("service", "shape"), AIMS)
def test_what_two_servers_could_read_differently_ends_the_connection(
    endpoints: Endpoints, service: str, shape: str
) -> None:
    """The second request would be somebody else's: it is never answered."""
    follower = "GET /healthz HTTP/1.1\r\nHost: shop\r\n\r\n"

    said = converse(endpoints.services[service], SMUGGLING[shape], follower)

    statuses = [line.split(" ")[1] for line in said.splitlines() if line.startswith("HTTP/1.")]
    assert [status for status in statuses if status.startswith("2")] == [], said
    assert '"ok"' not in said


def converse(url: str, *requests: str) -> str:
    """What is said to each, until the service hangs up. Raises TimeoutError when it does not."""
    address = urlsplit(url)
    said = b""
    with socket.create_connection(
        (address.hostname or "", address.port or 0), timeout=ANSWER_WITHIN_S
    ) as connection:
        try:
            for request in requests:
                connection.sendall(request.encode("latin-1"))
                said += connection.recv(65536)
            while piece := connection.recv(65536):
                said += piece
        except (BrokenPipeError, ConnectionResetError):
            pass  # With bytes of ours unread, its farewell is a reset.
    return said.decode("latin-1")
