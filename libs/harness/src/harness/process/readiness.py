"""Ask a starting process whether it is ready, without blocking the others. Decides nothing."""

import asyncio
import struct
from collections.abc import Awaitable, Callable

from harness.process.ports import HOST
from harness.process.spec import Probe

# A gunicorn master accepts before its worker serves: an answer may take as long as its imports.
ANSWER_WITHIN_S = 5.0
# Shorter than anybody notices, and 20 of them at once cost 1 % of a core.
POLL_S = 0.03


async def until_ready(probe: Probe, pid: int) -> None:
    """Returns once *probe* says so. Never gives up: the caller limits the time."""
    while not await probe(pid):
        await asyncio.sleep(POLL_S)


def http(port: int, path: str) -> Probe:
    """Ready when GET *path* is answered 200."""
    request = f"GET {path} HTTP/1.0\r\nHost: {HOST}:{port}\r\n\r\n"

    async def probe(_pid: int) -> bool:
        return b" 200 " in await _first_line(port, request)

    return probe


def valkey(port: int) -> Probe:
    async def probe(_pid: int) -> bool:
        return await _first_line(port, "PING\r\n") == b"+PONG\r\n"

    return probe


def postgres(port: int) -> Probe:
    """Ready when a server asks who we are; one that is still starting says so, and that is no.

    A bare connection would prove nothing: what publishes a container's port accepts it always.
    """
    names = b"user\0postgres\0database\0postgres\0\0"
    # StartupMessage of protocol 3.0 (PostgreSQL, "Message Formats").
    hello = struct.pack("!ii", 8 + len(names), 3 << 16) + names

    async def probe(_pid: int) -> bool:
        return await _answer(port, hello, lambda reader: reader.read(1)) == b"R"

    return probe


async def _first_line(port: int, request: str) -> bytes:
    return await _answer(port, request.encode(), lambda reader: reader.readline())


async def _answer(
    port: int, request: bytes, read: Callable[[asyncio.StreamReader], Awaitable[bytes]]
) -> bytes:
    """Empty if nobody answers."""
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                writer.write(request)
                return await read(reader)
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return b""
