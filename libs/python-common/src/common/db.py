"""One engine, one way to open a transaction."""

import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from common import metrics, tracing

# As many as a web process has threads, or a worker has loops; none beyond.
POOL_SIZE = 8
# A request that waits longer than this for a connection is better refused (503) than queued.
POOL_WAIT_S = 0.25
# A statement slower than this holds locks that shoppers wait for.
STATEMENT_TIMEOUT_MS = 2_000
# A lock held longer than this belongs to somebody who is stuck.
LOCK_TIMEOUT_MS = 500
# No transaction of ours waits for anything but the database.
IDLE_IN_TRANSACTION_TIMEOUT_MS = 5_000
# What a handler, or a request, may take in all: less than a message's visibility (15 s), so that
# nobody else gets the message while it is still being handled.
TRANSACTION_TIMEOUT_MS = 10_000
CONNECT_TIMEOUT_S = 2

# SQLSTATE classes of a server that is not to be had, whoever asks and whatever for (PostgreSQL 18,
# appendix A): connection, resources, stopped by its operator; and a standby, after a failover.
AWAY_CLASSES = ("08", "53", "57P")
READ_ONLY = "25006"

# Where a transaction notes, on its connection, which loops it made work for.
_WOKEN = "woken"


class Database:
    """The service's own schema, reached as the service's own role.

    url: a SQLAlchemy URL that names the driver, ``postgresql+psycopg2://``.
    patience: how many times as long everything may take; more than once only in tests.
    """

    def __init__(self, url: str, *, pool_size: int = POOL_SIZE, patience: int = 1) -> None:
        self.engine: Engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            hide_parameters=True,  # Else every traceback of a statement tells somebody's data.
            pool_timeout=POOL_WAIT_S * patience,
            pool_use_lifo=True,  # The busiest connections stay warm, the rest may idle out.
            connect_args={
                "connect_timeout": CONNECT_TIMEOUT_S * patience,
                "options": (
                    f"-c statement_timeout={STATEMENT_TIMEOUT_MS * patience}"
                    f" -c lock_timeout={LOCK_TIMEOUT_MS * patience}"
                    f" -c transaction_timeout={TRANSACTION_TIMEOUT_MS * patience}"
                    " -c idle_in_transaction_session_timeout="
                    f"{IDLE_IN_TRANSACTION_TIMEOUT_MS * patience}"
                ),
            },
        )
        # By the name of a loop of this process: what wakes it. Empty in a web process.
        self.wakers: dict[str, Callable[[], None]] = {}
        event.listen(self.engine, "checkout", _refuse_dead)
        tracing.trace_database(self.engine)
        metrics.observe_pool(self.engine)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Commit when the block ends, roll back if it raises. Nothing else commits.

        After the commit, never before and not without, the loops are woken that `wake` named.
        """
        woken: set[str] = set()
        with self.engine.begin() as connection:
            connection.info[_WOKEN] = woken
            yield connection
        for loop in woken & self.wakers.keys():
            self.wakers[loop]()

    def ping(self) -> None:
        """Raises `sqlalchemy.exc.DBAPIError` when the database does not answer."""
        with self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))


def wake(tx: Connection, loop: str) -> None:
    """Say that *tx* made work for *loop*: once it is committed, that loop looks at once.

    In another process it finds the work when it polls.
    """
    tx.info.setdefault(_WOKEN, set()).add(loop)


def is_away(error: BaseException) -> bool:
    """Whether the database could not be had at all, so that nobody's request is to blame.

    A statement that was too slow, a lock, a deadlock are not that: others go on meanwhile.
    """
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    code: str | None = getattr(error.orig, "pgcode", None)
    if code is None:  # Not the server's word: nobody was reached, or nobody was there any more.
        return isinstance(error, OperationalError) or error.connection_invalidated
    return code.startswith(AWAY_CLASSES) or code == READ_ONLY


def _refuse_dead(connection: Any, _record: Any, _proxy: Any) -> None:
    """Notice a restarted server before a request does: who hung up has left something to read.

    Costs no round trip, as a ping would. The pool then connects anew, all of it.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        raise InvalidatePoolError
