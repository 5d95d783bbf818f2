"""A service's role in PostgreSQL: its own rows, and nothing else (ADR-0004 runs the real server).

What an attacker inside one service could try with its connection, on the running shop's database.
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from harness.process.endpoints import Endpoints
from harness.process.home import Home
from harness.providers import postgres
from harness.providers.role_names import MIGRATOR, service_role
from psycopg2 import errors, sql

SERVICES = ("auth", "cart", "catalog", "inventory", "notification", "order", "payment")
NEIGHBOURS = [(one, other) for one in SERVICES for other in SERVICES if one != other]
# Of every service; each has an outbox.
OWN_TABLE = "outbox"
# What was written there has happened; nobody makes it unhappen.
APPEND_ONLY: dict[str, set[str]] = {
    "auth": set(),
    "cart": {"bought_orders"},
    "catalog": {"product_prices"},
    "inventory": {"movements", "returns"},
    "notification": set(),
    "order": {"order_history", "order_lines", "refunds", "return_lines"},
    "payment": {"ledger_entries"},
}
WRITTEN = [(service, table) for service, names in APPEND_ONLY.items() for table in sorted(names)]
# Written by the database's owner alone: a service that is broken into makes nobody staff.
READ_ONLY = ("auth", "role_changes")
FORBIDDEN = {
    "make a table": "CREATE TABLE mine (id int)",
    "make a table where everybody looks": "CREATE TABLE public.mine (id int)",
    "make a temporary table": "CREATE TEMPORARY TABLE mine (id int)",
    "change a table": f"ALTER TABLE {OWN_TABLE} ADD COLUMN mine int",
    "drop a table": f"DROP TABLE {OWN_TABLE}",
    "empty a table at once": f"TRUNCATE {OWN_TABLE}",
    "switch triggers off": f"ALTER TABLE {OWN_TABLE} DISABLE TRIGGER ALL",
    "make a schema": "CREATE SCHEMA mine",
    "make a role": "CREATE ROLE mine SUPERUSER",
    "become the migrator": f"SET ROLE {MIGRATOR}",
    "pass for a replica": "SET session_replication_role = replica",
    "make an extension": "CREATE EXTENSION dblink",
    "run a program": "COPY (SELECT 1) TO PROGRAM 'true'",
    "read a file": "SELECT pg_read_file('/etc/passwd')",
    "read passwords": "SELECT rolpassword FROM pg_authid",
    "reload the server's settings": "SELECT pg_reload_conf()",
}


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def connect(endpoints: Endpoints, service: str, database: str = postgres.DATABASE) -> Any:
    role = service_role(service)
    password = Home(Path(endpoints.home)).secrets([role])[role]
    return psycopg2.connect(
        endpoints.postgres_dsn, user=role, password=password, dbname=database, connect_timeout=5
    )


@pytest.fixture
def cursor(endpoints: Endpoints, service: str) -> Iterator[Any]:
    """As the service; nothing it does is kept."""
    with closing(connect(endpoints, service)) as connection, connection.cursor() as cursor:
        yield cursor


def test_a_service_is_who_it_is_in_its_own_schema_only(cursor: Any, service: str) -> None:
    cursor.execute("SELECT current_user, current_schemas(false)")
    [(role, schemas)] = cursor.fetchall()
    cursor.execute("SELECT count(*) FROM outbox")

    assert (role, schemas) == (service_role(service), [service])


def test_a_service_has_no_power_over_the_server(cursor: Any) -> None:
    cursor.execute(
        "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls,"
        " EXISTS (SELECT FROM pg_auth_members WHERE member = r.oid)"
        " FROM pg_roles r WHERE rolname = current_user"
    )

    assert cursor.fetchall() == [(False, False)]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_a_service_may_not(cursor: Any, what: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        cursor.execute(FORBIDDEN[what])


@pytest.mark.parametrize(("one", "other"), NEIGHBOURS)
def test_a_service_sees_nothing_of_its_neighbours(
    endpoints: Endpoints, one: str, other: str
) -> None:
    with closing(connect(endpoints, one)) as connection, connection.cursor() as cursor:
        for statement in ("SELECT * FROM", "DELETE FROM"):
            with pytest.raises(errors.InsufficientPrivilege):
                cursor.execute(f'{statement} "{other}".{OWN_TABLE}')
            connection.rollback()


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_a_service_enters_no_other_database(
    endpoints: Endpoints, service: str, database: str
) -> None:
    with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
        connect(endpoints, service, database)


def test_what_is_append_only_is_known(cursor: Any, service: str) -> None:
    """Tables that the role may add to and neither change nor delete from, by the server's word."""
    cursor.execute(
        "SELECT tablename FROM pg_tables t WHERE schemaname = %s"
        " AND has_table_privilege(format('%%I.%%I', schemaname, tablename), 'INSERT')"
        " AND NOT has_table_privilege(format('%%I.%%I', schemaname, tablename), 'UPDATE')"
        " AND NOT has_table_privilege(format('%%I.%%I', schemaname, tablename), 'DELETE')",
        (service,),
    )

    assert {name for (name,) in cursor.fetchall()} == APPEND_ONLY[service]


@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET {} = DEFAULT", "DELETE FROM {}", "TRUNCATE {}"]
)
@pytest.mark.parametrize(("service", "table"), [*WRITTEN, READ_ONLY])
def test_what_has_happened_is_not_rewritten(
    endpoints: Endpoints, service: str, table: str, statement: str
) -> None:
    with closing(connect(endpoints, service)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 LIMIT 1",
            (table,),
        )
        names = [sql.Identifier(table), sql.Identifier(cursor.fetchone()[0])]
        with pytest.raises(errors.InsufficientPrivilege):
            cursor.execute(sql.SQL(statement).format(*names))
