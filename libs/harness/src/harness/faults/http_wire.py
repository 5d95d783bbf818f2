"""HTTP/1.1 messages, whole, on asyncio's streams, by h11. Knows no fault."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import h11

READ_BYTES = 65_536
# SNS and SQS take 1 MiB at the most; the rest of a request is far less.
BODY_BYTES_MAX = 4 * 1024 * 1024

Headers = Sequence[tuple[bytes, bytes]]


class PeerGone(ConnectionError):
    """The other side closed the connection instead of speaking on."""


@dataclass
class Whole:
    """A request or an answer with its body, which is never chunked once it is here."""

    head: h11.Request | h11.Response
    body: bytes = b""

    def header(self, name: bytes) -> str:
        return next((v.decode() for n, v in self.head.headers if n == name), "")


@dataclass
class Wire:
    """One connection. role: h11.SERVER for who is asked, h11.CLIENT for who asks."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    role: type[h11.SERVER] | type[h11.CLIENT]
    _state: h11.Connection = field(init=False)

    def __post_init__(self) -> None:
        self._state = h11.Connection(self.role)

    async def receive(self) -> Whole | None:
        """The next whole message; None if the peer closed between two of them.

        Raises PeerGone in the midst of one, h11.RemoteProtocolError for what is no HTTP.
        """
        head: h11.Request | h11.Response | None = None
        body = bytearray()
        while True:
            event = self._state.next_event()
            if event is h11.NEED_DATA:
                await self._read(is_amid=head is not None)
            elif isinstance(event, h11.ConnectionClosed):
                return None
            elif isinstance(event, (h11.Request, h11.Response)):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > BODY_BYTES_MAX:
                    raise PeerGone(f"a body of more than {BODY_BYTES_MAX} bytes")
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return Whole(head, bytes(body))

    async def _read(self, *, is_amid: bool) -> None:
        if self._state.they_are_waiting_for_100_continue:
            go_on = h11.InformationalResponse(status_code=100, headers=[])
            self.writer.write(self._state.send(go_on) or b"")
        data = await self.reader.read(READ_BYTES)
        if not data and is_amid:
            raise PeerGone("closed in the midst of a message")
        self._state.receive_data(data)

    async def send(self, whole: Whole) -> None:
        for part in (whole.head, h11.Data(data=whole.body), h11.EndOfMessage()):
            self.writer.write(self._state.send(part) or b"")
        await self.writer.drain()

    def next_cycle(self) -> bool:
        """Whether the connection can carry another request."""
        if self._state.our_state is h11.DONE and self._state.their_state is h11.DONE:
            self._state.start_next_cycle()
            return True
        return False

    async def peer_gone(self) -> None:
        """Returns when the peer has closed; what it says instead is kept for `receive`."""
        while data := await self.reader.read(READ_BYTES):
            self._state.receive_data(data)

    def abort(self) -> None:
        """Close without a word."""
        self.writer.transport.abort()


def with_length(headers: Headers, body: bytes) -> list[tuple[bytes, bytes]]:
    """*headers* for *body*, which is sent in one piece."""
    framing = {b"content-length", b"transfer-encoding", b"content-encoding"}
    kept = [(name, value) for name, value in headers if name.lower() not in framing]
    return [*kept, (b"content-length", str(len(body)).encode())]


def answer(status: int, content_type: str, body: bytes) -> Whole:
    headers = with_length([(b"content-type", content_type.encode())], body)
    return Whole(h11.Response(status_code=status, headers=headers), body)
