"""An append-only book in one SQLite file: opened, guarded, and written in whole transactions.

Knows no table but by name. A commit survives `kill -9`; only a power cut could take the last.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

# One process holds the book (see `startup`), so a lock this old is a stuck one, not a busy one.
BUSY_TIMEOUT_S = 5

TRIGGER = """
CREATE TRIGGER IF NOT EXISTS {table}_no_{verb} BEFORE {verb} ON {table}
  BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;
"""


def append_only(tables: Iterable[str], verbs: Iterable[str] = ("UPDATE", "DELETE")) -> str:
    """Triggers that hold *tables* against our own mistakes, as SQL."""
    verbs = tuple(verbs)
    return "".join(TRIGGER.format(table=table, verb=verb) for table in tables for verb in verbs)


class SqliteBook:
    """One connection, one writer at a time; readers wait for it too, briefly."""

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(
            file, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        self._connection.row_factory = sqlite3.Row
        # NORMAL in WAL survives the death of the process; only a power cut could take a commit.
        self._connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit when the block ends, roll back if it raises. Nothing else commits."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            yield self._connection

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _executescript(self, script: str) -> None:
        """All of *script* or nothing of it."""
        self._connection.executescript(f"BEGIN IMMEDIATE;{script}COMMIT;")
