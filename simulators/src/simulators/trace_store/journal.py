"""What the store accepted, on disk, to outlive the process. Bounded. Looks into no request.

A record is a request with its length and checksum before it, written in one call before the request
is answered. Nothing is synced: a killed process loses nothing that it answered with 200, a machine
without power what the kernel had not yet written, about the last half a minute.
"""

import struct
import threading
import time
import zlib
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

# 7,000 checkouts of 45 spans, which a restart takes up again within a second.
MAX_BYTES = 128 * 1024**2
MAX_AGE_S = 7 * 24 * 3600
# What is deleted at once to stay below both.
SEGMENT_BYTES = 16 * 1024**2
SUFFIX = ".spans"
HEADER = struct.Struct(">II")  # length, CRC-32


class Journal:
    """Appends to segments in a folder. Safe to use from several threads.

    The oldest segments are deleted at the start and when a segment begins: beyond *max_bytes* in
    all, or *max_age_s* after their last record. Every process begins a segment of its own, so that
    one that is still ending is not in the way of the next.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int = MAX_BYTES,
        max_age_s: float = MAX_AGE_S,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._max_bytes, self._max_age_s = max_bytes, max_age_s
        self._segment_bytes = segment_bytes
        self._lock = threading.Lock()
        self._segment: FileIO | None = None
        self._make_room()

    def append(self, request: bytes) -> None:
        """OSError: it is not kept, for want of space or of rights. What came before still is."""
        record = HEADER.pack(len(request), zlib.crc32(request)) + request
        with self._lock:
            segment = self._segment
            if segment is None or segment.tell() + len(record) > self._segment_bytes:
                segment = self._begin()
            try:
                written = segment.write(record)
            except OSError:
                written = 0
            if written != len(record):
                # Whatever follows a torn record in a segment is not read.
                self.close()
                raise OSError(f"{self._folder}: the disk takes no more")

    def _begin(self) -> FileIO:
        self.close()
        self._make_room()
        last = max((int(path.stem) for path in segments(self._folder)), default=0)
        self._segment = FileIO(str(self._folder / f"{last + 1:08}{SUFFIX}"), "x")
        return self._segment

    def close(self) -> None:
        """The next record begins a segment."""
        if self._segment:
            self._segment.close()
        self._segment = None

    def _make_room(self) -> None:
        room, oldest = self._max_bytes - self._segment_bytes, time.time() - self._max_age_s
        for path in reversed(segments(self._folder)):
            found = path.stat()
            room -= found.st_size
            if room < 0 or found.st_mtime < oldest:
                path.unlink(missing_ok=True)


def segments(folder: Path) -> list[Path]:
    """Oldest first."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def requests(folder: Path) -> Iterator[bytes]:
    """Every request that was kept, oldest first. Of a segment, as far as it is sound."""
    for path in segments(folder):
        yield from _records(path.read_bytes())


def _records(segment: bytes) -> Iterator[bytes]:
    at = 0
    while at + HEADER.size <= len(segment):
        length, checksum = HEADER.unpack_from(segment, at)
        at += HEADER.size
        request = segment[at : at + length]
        if len(request) < length or zlib.crc32(request) != checksum:
            return
        yield request
        at += length
