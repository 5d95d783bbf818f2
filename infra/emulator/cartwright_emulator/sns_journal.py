"""Which messages topics took, a line of JSON each: for whoever holds them against what was written.

Only if EMULATOR_PUBLISH_JOURNAL names a file. Every message that is answered with an id has a line,
which is written before it is delivered or acknowledged, in one write(2) at the file's end: SIGKILL
leaves a whole line or none. A text is there as its SHA-256 only. The first line says from when on
all are there: at BYTES_MAX, and when one could not be written, the file is emptied and begins anew,
so that nobody judges by a part of it. Where it cannot even be emptied, the publish fails; where it
cannot be opened, the emulator does not start.
"""

import hashlib
import json
import logging
import os
import time

from ministack.services import sns

# Some 200,000 messages.
BYTES_MAX = 64 * 1024 * 1024
# Who published just before it began anew notes so afterwards, in a transaction of ten seconds.
NOTED_WITHIN_S = 60.0

_fan_out = sns._fanout
_log = logging.getLogger("sns")


def install() -> None:
    path = os.environ.get("EMULATOR_PUBLISH_JOURNAL")
    if path:
        sns._fanout = _noting(Journal(path))


def _noting(journal: "Journal"):
    """Called by MiniStack for each message that it takes, with the id that it answers."""

    def fan_out(arn, message_id, message, subject, structure="", attributes=None, **groups) -> None:
        journal.write(
            {
                "at": time.time(),
                "topic": arn.rpartition(":")[2],
                "message_id": message_id,
                "digest": hashlib.sha256(message.encode()).hexdigest(),
                "attributes": {
                    name: value.get("StringValue", "") for name, value in (attributes or {}).items()
                },
            }
        )
        _fan_out(arn, message_id, message, subject, structure, attributes, **groups)

    return fan_out


class Journal:
    """The file at *path*, which goes on over restarts."""

    def __init__(self, path: str, bytes_max: int = BYTES_MAX) -> None:
        is_first = not os.path.exists(path)
        self._bytes_max = bytes_max
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        if is_first:
            self._append({"since": time.time()})

    def write(self, entry: dict) -> None:
        size = os.fstat(self._file).st_size
        if not 0 < size < self._bytes_max:
            os.ftruncate(self._file, 0)
            if not self._append({"since": time.time() + NOTED_WITHIN_S}):
                return
        self._append(entry)

    def _append(self, entry: dict) -> bool:
        """Whether it is there; if not, nothing is there any more."""
        line = json.dumps(entry).encode() + b"\n"
        try:
            if os.write(self._file, line) == len(line):
                return True
            why = "there is no room"
        except OSError as error:
            why = error.strerror
        os.ftruncate(self._file, 0)
        _log.warning("what topics take is not noted: %s", why)
        return False
