"""Stands between the shop and one server, and spoils the line. In Toxiproxy's vocabulary.

What each toxic does, and its attributes' names and units: github.com/Shopify/toxiproxy, "Toxics".
"""

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import ConfigDict, NonNegativeInt, TypeAdapter
from pydantic.dataclasses import dataclass as validated

from harness.faults.journal import Journal

CHUNK_BYTES = 65_536
MS = 1000
# SO_LINGER with no time to linger: closing sends RST instead of FIN.
NO_LINGER = struct.pack("ii", 1, 0)


class Stream(StrEnum):
    UPSTREAM = "upstream"  # What the shop says.
    DOWNSTREAM = "downstream"  # What it is answered.


class ToxicType(StrEnum):
    LATENCY = "latency"
    TIMEOUT = "timeout"
    RESET_PEER = "reset_peer"
    LIMIT_DATA = "limit_data"


@validated(config=ConfigDict(extra="forbid"), frozen=True)
class Attributes:
    """latency, timeout: milliseconds. timeout 0: until the toxic is removed. bytes: let through."""

    latency: NonNegativeInt = 0
    timeout: NonNegativeInt = 0
    bytes: NonNegativeInt = 0


@validated(config=ConfigDict(extra="forbid"), frozen=True)
class Toxic:
    name: str
    type: ToxicType
    stream: Stream = Stream.DOWNSTREAM
    attributes: Attributes = field(default_factory=Attributes)


class Severed(Exception):
    """The connection ends here. is_reset: with RST."""

    def __init__(self, *, is_reset: bool = False) -> None:
        self.is_reset = is_reset


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    writer.transport.abort()


@dataclass
class TcpProxy:
    """name: the place it stands before. listen, upstream: (host, port).

    cut: how many connections were closed since it was last disabled, because of that.
    """

    name: str
    listen: tuple[str, int]
    upstream: tuple[str, int]
    journal: Journal
    toxics: dict[str, Toxic] = field(default_factory=dict)
    cut: int = 0
    _is_down: bool = False
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def enabled(self) -> bool:
        return self._server is not None and not self._is_down

    async def enable(self) -> None:
        self._is_down = False
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, *self.listen)

    def disable(self) -> None:
        """Close the connections that are, and refuse new ones.

        If there is none, the next one is closed as it comes: whom the kernel refuses nobody sees.
        """
        if not self.enabled:
            return
        self._is_down, self.cut = True, 0
        for writer in list(self._writers):
            writer.transport.abort()
        if self._writers:
            self._note_cut(len(self._writers) // 2)

    def _note_cut(self, connections: int) -> None:
        """So it happened; from now on the kernel refuses whoever comes."""
        if not self.cut:
            self.journal.write("down", "connect", self.name)
        self.cut += connections
        self.close()

    def close(self) -> None:
        """Listen no more."""
        if self._server:
            self._server.close()
            self._server = None

    def add(self, toxic: Toxic) -> None:
        self.toxics[toxic.name] = toxic
        self._tell()

    def remove(self, name: str) -> None:
        """Raises KeyError if there is no such toxic."""
        del self.toxics[name]
        self._tell()

    async def reset(self) -> None:
        self.toxics.clear()
        self._tell()
        await self.enable()

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "listen": "{}:{}".format(*self.listen),
            "upstream": "{}:{}".format(*self.upstream),
            "enabled": self.enabled,
            "cut": self.cut,
            "toxics": TypeAdapter(list[Toxic]).dump_python(list(self.toxics.values()), mode="json"),
        }

    def _tell(self) -> None:
        """Wake those who wait for a toxic to be removed."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.upstream)
        except ConnectionError:  # As if the server itself had refused.
            writer.transport.abort()
            return
        both = {writer, far_writer}
        if self._is_down:
            self._note_cut(1)
            far_writer.transport.abort()
            reset(writer)
            return
        self._writers |= both
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(reader, far_writer, Stream.UPSTREAM))
                pumps.create_task(self._pump(far_reader, writer, Stream.DOWNSTREAM))
        except* Severed as severed:
            if any(isinstance(e, Severed) and e.is_reset for e in severed.exceptions):
                reset(writer)
        except* ConnectionError:
            pass  # One side went away, so the other is closed as well: right below.
        finally:
            self._writers -= both
            for one in both:
                one.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stream: Stream
    ) -> None:
        """Everything from *reader* to *writer*, spoilt by the toxics as they are at each chunk."""
        passed = 0
        while data := await reader.read(CHUNK_BYTES):
            for toxic in [t for t in self.toxics.values() if t.stream is stream]:
                self.journal.write(toxic.type, stream, self.name, label=toxic.name)
                data = await self._spoil(toxic, data, passed)
            writer.write(data)
            await writer.drain()
            passed += len(data)
        with contextlib.suppress(OSError):  # The other direction may have closed it all.
            writer.write_eof()

    async def _spoil(self, toxic: Toxic, data: bytes, passed: int) -> bytes:
        """What of *data* goes on. Raises Severed if the connection ends here."""
        wanted = toxic.attributes
        if toxic.type is ToxicType.LATENCY:
            await asyncio.sleep(wanted.latency / MS)
        elif toxic.type is ToxicType.TIMEOUT:
            await self._until_removed(toxic, wanted.timeout)
            raise Severed
        elif toxic.type is ToxicType.RESET_PEER:
            await asyncio.sleep(wanted.timeout / MS)
            raise Severed(is_reset=True)
        elif len(data) + passed > wanted.bytes:
            raise Severed
        return data

    async def _until_removed(self, toxic: Toxic, timeout_ms: int) -> None:
        """At most *timeout_ms*, if that is not 0."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_ms / MS or None):
                while self.toxics.get(toxic.name) is toxic:
                    await self._changed.wait()
