"""A request as it arrives: its head, read by gunicorn's parser, and its body, out of its chunks.

Takes bytes and says when they are enough; knows neither sockets nor clocks (ADR-0025).
"""

import re
from enum import Enum, auto
from tempfile import SpooledTemporaryFile
from typing import Any, Final

from gunicorn.http import message  # type: ignore[import-untyped]
from gunicorn.http.body import CHUNK_EXT_RE, ChunkedReader  # type: ignore[import-untyped]
from gunicorn.http.errors import (  # type: ignore[import-untyped]
    ChunkMissingTerminator,
    InvalidChunkSize,
    InvalidHeader,
    LimitRequestHeaders,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.http.unreader import IterUnreader  # type: ignore[import-untyped]

from common.app import BODY_BYTES_MAX

# Sixteen times what a browser with a token sends; gunicorn alone would take 800 KiB.
HEAD_BYTES_MAX: Final = 64 * 1024
# Every body but a file import's. What is larger goes to a temporary file.
BUFFER_BYTES_MAX: Final = BODY_BYTES_MAX
# A chunk's size, and extensions and trailers that nobody of ours sends.
_LINE_BYTES_MAX: Final = 1024
_TRAILERS_BYTES_MAX: Final = 8 * 1024

_END_OF_HEAD: Final = b"\r\n\r\n"
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})" + CHUNK_EXT_RE.pattern)
_TRAILER: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*")
# RFC 9112 §3.2 and RFC 3986 §3.2.2; an http URI has a host (RFC 9110 §4.2.1).
_HOST: Final = re.compile(
    r"(?:[0-9A-Za-z\-._~!$&'()*+,;=%]+|\[[0-9A-Za-z\-._~!$&'()*+,;=:]+\])(?::[0-9]*)?"
)


class BodyTooLarge(ParseException):  # type: ignore[misc]  # gunicorn ships no types.
    """More than any route of this service accepts."""


class Request(message.Request):  # type: ignore[misc]  # gunicorn ships no types.
    """A head as gunicorn reads it, and as strict as RFC 9112 about where it goes and ends."""

    _expected_100_continue: bool

    def set_body_reader(self) -> None:
        super().set_body_reader()
        hosts = [value for name, value in self.headers if name == "HOST"]
        if not all(map(_HOST.fullmatch, hosts)) or (not hosts and self.version >= (1, 1)):
            raise InvalidHeader("HOST", req=self)
        codings = [value.lower() for name, value in self.headers if name == "TRANSFER-ENCODING"]
        if codings not in ([], ["chunked"]):
            raise UnsupportedTransferCoding(", ".join(codings))
        self.is_chunked = isinstance(self.body.reader, ChunkedReader)
        # Of the body, as announced.
        self.length = 0 if self.is_chunked else int(self.body.reader.length)

    def take_expectation(self) -> bool:
        """Whether the client waits to be asked for its body. It is asked once, and not by
        gunicorn, which would do so when a thread has it."""
        expected = self._expected_100_continue
        self._expected_100_continue = False
        return expected


class _Part(Enum):
    SIZE = auto()
    END_OF_DATA = auto()
    TRAILERS = auto()


class Chunks:
    """RFC 9112 §7.1, decoded as it comes: each byte costs the same, however small the chunks.

    gunicorn's reader copies all that follows a chunk once for each chunk.
    """

    def __init__(self) -> None:
        self.is_whole = False
        self.rest = b""  # What is not decoded yet; of the next request when all is whole.
        self._part = _Part.SIZE
        self._data_left = 0
        self._trailers_bytes = 0

    def decode(self, piece: bytes) -> bytes:
        """What *piece* adds to the body. Raises ParseException."""
        held, at, parts = self.rest + piece, 0, []
        while not self.is_whole:
            if self._data_left:
                parts.append(held[at : at + self._data_left])
                at += len(parts[-1])
                self._data_left -= len(parts[-1])
                if self._data_left:
                    break
            end = held.find(b"\r\n", at, at + _LINE_BYTES_MAX)
            if end < 0 and len(held) - at >= _LINE_BYTES_MAX:
                raise InvalidChunkSize(b"a line of more than is ever needed")
            if end < 0:
                break
            self._read_line(held[at:end])
            at = end + 2
        self.rest = held[at:]
        return b"".join(parts)

    def _read_line(self, line: bytes) -> None:
        if self._part is _Part.SIZE:
            size = _SIZE.fullmatch(line)
            if size is None:
                raise InvalidChunkSize(line)
            self._data_left = int(size.group(1), 16)
            self._part = _Part.END_OF_DATA if self._data_left else _Part.TRAILERS
        elif self._part is _Part.END_OF_DATA:
            if line:
                raise ChunkMissingTerminator(line[:2])
            self._part = _Part.SIZE
        elif line:
            self._drop_trailer(line)
        else:
            self.is_whole = True

    def _drop_trailer(self, line: bytes) -> None:
        """Whoever has no use for trailers may discard them (RFC 9110 §6.5.1)."""
        self._trailers_bytes += len(line)
        if self._trailers_bytes > _TRAILERS_BYTES_MAX:
            raise LimitRequestHeaders("trailers")
        if not _TRAILER.fullmatch(line):
            raise InvalidHeader("a trailer")


class Arrival:
    """What has come of one request. body_bytes_max: the largest body any route accepts."""

    def __init__(self, cfg: Any, peer: Any, body_bytes_max: int) -> None:
        self.request: Request | None = None  # Once its head has come.
        self.body = SpooledTemporaryFile(BUFFER_BYTES_MAX)  # noqa: SIM115  close() closes it.
        self.body_bytes = 0
        self.is_whole = False
        self.rest = b""  # Of the next request, when this one is whole.
        self._head = bytearray()
        self._chunks = Chunks()
        self._cfg, self._peer, self._body_bytes_max = cfg, peer, body_bytes_max

    @property
    def is_silent(self) -> bool:
        return not self._head

    @property
    def is_large(self) -> bool:
        """Whether its body is, or will be, more than is kept in memory."""
        announced = self.request.length if self.request else 0
        return max(announced, self.body_bytes) > BUFFER_BYTES_MAX

    def feed(self, piece: bytes) -> None:
        """Raises ParseException for what is no request, BodyTooLarge, and OSError for a body that
        finds no place on the disk."""
        if self.request is None:
            head_end = self._find_end_of_head(piece)
            if head_end < 0:
                return
            piece = bytes(self._head[head_end:])
            self.request = Request(
                self._cfg, IterUnreader([bytes(self._head[:head_end])]), self._peer
            )
        self._take_body(self.request, piece)

    def take_expectation(self) -> bool:
        """Whether to ask the client for its body: once, and not when some of it is here."""
        expects = self.request is not None and self.request.take_expectation()
        return expects and not self.is_whole and not self.body_bytes

    def close(self) -> None:
        self.body.close()

    def _find_end_of_head(self, piece: bytes) -> int:
        """Where the body begins in all that came; -1 before that. Raises LimitRequestHeaders."""
        searched = max(0, len(self._head) - len(_END_OF_HEAD) + 1)
        self._head += piece
        found = self._head.find(_END_OF_HEAD, searched, HEAD_BYTES_MAX)
        if found < 0 and len(self._head) >= HEAD_BYTES_MAX:
            raise LimitRequestHeaders("all of them")
        return found + len(_END_OF_HEAD) if found >= 0 else -1

    def _take_body(self, request: Request, piece: bytes) -> None:
        if request.is_chunked:
            content = self._chunks.decode(piece)
            self.is_whole, self.rest = self._chunks.is_whole, self._chunks.rest
        else:
            missing = request.length - self.body_bytes
            content, self.rest = piece[:missing], piece[missing:]
            self.is_whole = len(content) == missing
        self.body_bytes += len(content)
        if max(request.length, self.body_bytes) > self._body_bytes_max:
            raise BodyTooLarge
        self.body.write(content)
        if self.is_whole:
            self.body.seek(0)
            request.body = self.body
