"""The shop's own database on any PostgreSQL, and several sessions of it at once. No test."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
from common import db as shop_database
from common import migrations
from harness import stack
from harness.eventually import eventually
from harness.providers import postgres, roles
from harness.providers.role_names import MIGRATOR, every_role, service_role
from psycopg2.extensions import make_dsn, parse_dsn

# A statement that waits is seen in pg_stat_activity within a few milliseconds.
WAITS_WITHIN_S = 20.0
OPTIONS = (
    f"-c statement_timeout={shop_database.STATEMENT_TIMEOUT_MS}"
    f" -c lock_timeout={shop_database.LOCK_TIMEOUT_MS}"
)


@dataclass(frozen=True)
class Shop:
    """A migrated database. dsn: the superuser's, to that database."""

    dsn: str
    passwords: dict[str, str]

    @contextmanager
    def session(self, service: str = "", options: str = "") -> Iterator["Session"]:
        """As the service's role, else as the superuser; rolled back if left open."""
        dsn = make_dsn(self.dsn, options=options)
        if service:
            role = service_role(service)
            dsn = make_dsn(dsn, user=role, password=self.passwords[role])
        connection = psycopg2.connect(dsn)
        try:
            yield Session(connection)
        finally:
            connection.close()


@dataclass(frozen=True)
class Session:
    """One connection; a transaction begins with the first statement."""

    connection: Any

    def run(self, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, arguments or None)
            return list(cursor.fetchall()) if cursor.description else []

    def seen(self, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """As `run`, in a transaction of its own: the statistics of one are a snapshot."""
        found = self.run(statement, *arguments)
        self.rollback()
        return found

    def commit(self) -> None:
        self.connection.commit()

    def rollback(self) -> None:
        self.connection.rollback()

    @property
    def pid(self) -> int:
        pid: int = self.connection.info.backend_pid
        return pid

    def code_of(self, statement: str, *arguments: Any) -> str:
        """The SQLSTATE by which the statement, or its commit, is refused; empty if it is not."""
        try:
            self.run(statement, *arguments)
            self.commit()
        except psycopg2.Error as error:
            if not self.connection.closed:
                self.rollback()
            return error.pgcode or type(error).__name__
        return ""


@contextmanager
def meanwhile(shop: Shop, waiting: Session, statement: str, *arguments: Any) -> Iterator[Any]:
    """The block runs while *waiting* waits for a lock; yields a future of what it then gets."""
    with ThreadPoolExecutor(1) as pool, shop.session() as observer:
        answer = pool.submit(waiting.run, statement, *arguments)

        def waits() -> bool:
            found = observer.seen(
                "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s", waiting.pid
            )
            return found == [(True,)]

        eventually(waits, WAITS_WITHIN_S, "the other session waits")
        yield answer


def services() -> list[str]:
    return list(stack.topology().services)


def service_folders(names: Sequence[str]) -> list[Path]:
    return [stack.repository() / "services" / f"{name}-service" for name in names]


def prepare(dsn: str) -> Shop:
    """Roles, rights and every service's tables, as the providers make them; may be repeated."""
    names = services()
    passwords = {role: f"password-of-{role}" for role in every_role(names)}
    roles.bootstrap(dsn, names, passwords)
    migrator = make_dsn(dsn, user=MIGRATOR, password=passwords[MIGRATOR], dbname=postgres.DATABASE)
    parts = parse_dsn(migrator)
    migrations.upgrade(
        f"postgresql+psycopg2://{MIGRATOR}:{passwords[MIGRATOR]}"
        f"@{parts['host']}:{parts['port']}/{postgres.DATABASE}",
        service_folders(names),
    )
    return Shop(make_dsn(dsn, dbname=postgres.DATABASE), passwords)
