"""A real PostgreSQL for store tests: one server a session, one migrated database a service."""

import atexit
import functools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import sqlalchemy as sa
from harness.providers import postgres

from common import migrations
from common.db import Database
from common.events import Event, outbox, parse
from common.testing.contracts import hold_to_contract

# A lock that a shop gives up after half a second is waited for on the busiest machine.
PATIENCE = 20
# For whoever tests that a lock is held: the one who waits gives up, the holder never does.
AT_ONCE = sa.text("SET LOCAL lock_timeout = '50ms'")
REPOSITORY = Path(__file__).resolve().parents[5]


@functools.cache
def _server_socket_directory() -> Path:
    """Start the session's server as a stack starts its own: in the shop's locale and zone.

    On a unix socket: unit tests open no port.
    """
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(postgres.temporary_socket())


def _url(role: str, database: str) -> str:
    return f"postgresql+psycopg2://{role}@/{database}?host={_server_socket_directory()}"


@contextmanager
def migrated_database(service: str, directory: Path | None = None) -> Iterator[str]:
    """A fresh database with *service*'s schema at head; yields its URL as the service's role.

    directory: the folder that holds ``migrations/``, by default the service's own.
    """
    database, role = f"test_{service}", f"{service}_service"
    administrator = sa.create_engine(
        _url("postgres", "postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
    )
    with administrator.connect() as connection:
        connection.execute(sa.text(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)'))
        connection.execute(sa.text(f'CREATE DATABASE "{database}"'))
        if not connection.scalar(
            sa.text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role}
        ):
            connection.execute(sa.text(f'CREATE ROLE "{role}" LOGIN'))
        connection.execute(
            sa.text(f'ALTER ROLE "{role}" IN DATABASE "{database}" SET search_path = "{service}"')
        )
    owner = sa.create_engine(_url("postgres", database), poolclass=sa.NullPool)
    with owner.begin() as connection:
        connection.execute(sa.text(f'CREATE SCHEMA "{service}"'))
        connection.execute(sa.text(f'GRANT USAGE ON SCHEMA "{service}" TO "{role}"'))
        for objects, rights in (
            ("TABLES", "SELECT, INSERT, UPDATE, DELETE"),
            ("SEQUENCES", "USAGE, SELECT"),
        ):
            connection.execute(
                sa.text(
                    f'ALTER DEFAULT PRIVILEGES IN SCHEMA "{service}"'
                    f' GRANT {rights} ON {objects} TO "{role}"'
                )
            )
    directory = directory or REPOSITORY / "services" / f"{service}-service"
    migrations.upgrade(_url("postgres", database), [directory])
    try:
        yield _url(role, database)
    finally:
        owner.dispose()
        with administrator.connect() as connection:
            connection.execute(sa.text(f'DROP DATABASE "{database}" WITH (FORCE)'))
        administrator.dispose()


@contextmanager
def clean_database(url: str) -> Iterator[Database]:
    """The service's `Database`; afterwards every table is empty again."""
    db = Database(url, patience=PATIENCE)
    try:
        yield db
    finally:
        db.engine.dispose()
        parsed = sa.make_url(url)
        owner = sa.create_engine(parsed.set(username="postgres"), poolclass=sa.NullPool)
        with owner.begin() as connection:
            tables = connection.scalar(
                sa.text(
                    "SELECT string_agg(format('%I.%I', schemaname, tablename), ', ')"
                    " FROM pg_tables WHERE tablename <> 'alembic_version'"
                    " AND schemaname NOT IN ('pg_catalog', 'information_schema')"
                )
            )
            connection.execute(sa.text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
        owner.dispose()


def published(db: Database) -> list[Event]:
    """What the service has written to its outbox, oldest first; each as its schema promises."""
    with db.transaction() as tx:
        rows = tx.execute(sa.select(outbox.c.body).order_by(outbox.c.position))
        events = [parse(row.body) for row in rows]
    for event in events:
        hold_to_contract(event)
    return events


def analyze(db: Database, *tables: str) -> None:
    """As autovacuum does, but now: what it knows else is of other tests' rows.

    tables: with their schema, as SQL has them.
    """
    owner = sa.create_engine(db.engine.url.set(username="postgres"), poolclass=sa.NullPool)
    with owner.begin() as connection:
        connection.execute(sa.text(f"ANALYZE {', '.join(tables)}"))


def until_a_session_waits(tx: sa.Connection) -> None:
    """Returns once another session of this database waits for a lock; fails if none ever does."""
    waiting = sa.text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    for _ in range(10_000):
        # What this transaction has seen of the others is kept for it otherwise.
        tx.execute(sa.text("SELECT pg_stat_clear_snapshot()"))
        if tx.scalar(waiting):
            return
    raise AssertionError("no session waits for a lock")
