"""Who may do what in the database, on a real server."""

from collections.abc import Iterator

import psycopg2
import pytest
from harness.providers import postgres, roles
from harness.providers.role_names import AUDITOR, MIGRATOR, every_role, service_role
from psycopg2 import errors, sql

SERVICES = ("order", "payment")
PASSWORDS = {role: f"password of {role}" for role in every_role(SERVICES)}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Bootstrapped twice, with a table of each service made by the migrator in between."""
    with postgres.temporary_server() as dsn:
        roles.bootstrap(dsn, SERVICES, PASSWORDS)
        for service in SERVICES:
            table = sql.Identifier(service, "things")
            run(dsn, MIGRATOR, sql.SQL("CREATE TABLE {} (id serial, name text)").format(table))
        roles.bootstrap(dsn, SERVICES, PASSWORDS)
        yield dsn


def run(dsn: str, role: str, statement: sql.Composable | str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(
        dsn, user=role, password=PASSWORDS[role], dbname=postgres.DATABASE
    )
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def test_a_service_reads_and_writes_its_own_tables_by_their_short_names(server: str) -> None:
    role = service_role("order")

    run(server, role, "INSERT INTO things (name) VALUES ('mug')")
    run(server, role, "UPDATE things SET name = 'cup'")

    assert run(server, role, "SELECT name FROM things") == [("cup",)]
    run(server, role, "DELETE FROM things")


@pytest.mark.parametrize(
    "statement",
    ["SELECT * FROM payment.things", "CREATE TABLE mine (id int)", "DROP TABLE things"],
)
def test_a_service_neither_sees_its_neighbours_nor_changes_tables(
    server: str, statement: str
) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        run(server, service_role("order"), statement)


def test_a_right_that_was_taken_away_stays_away_when_the_stack_starts_again(server: str) -> None:
    run(server, MIGRATOR, "CREATE TABLE payment.book (entry int)")
    run(server, MIGRATOR, "REVOKE UPDATE, DELETE ON payment.book FROM payment_service")

    roles.bootstrap(server, SERVICES, PASSWORDS)

    run(server, service_role("payment"), "INSERT INTO book VALUES (1)")
    for change in ("UPDATE book SET entry = 2", "DELETE FROM book"):
        with pytest.raises(errors.InsufficientPrivilege):
            run(server, service_role("payment"), change)


def test_a_table_without_rights_is_given_them_when_the_stack_starts(server: str) -> None:
    run(server, MIGRATOR, "CREATE TABLE payment.older (entry int)")
    run(server, MIGRATOR, "REVOKE ALL ON payment.older FROM payment_service")

    roles.bootstrap(server, SERVICES, PASSWORDS)

    run(server, service_role("payment"), "DELETE FROM older")


def test_the_database_has_the_encoding_that_search_needs(server: str) -> None:
    assert run(server, AUDITOR, "SHOW server_encoding") == [("UTF8",)]


def test_the_auditor_reads_every_schema(server: str) -> None:
    for service in SERVICES:
        query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(service, "things"))
        assert run(server, AUDITOR, query) == [(0,)]


def test_the_auditor_writes_nothing_even_if_it_insists(server: str) -> None:
    insisting = "SET TRANSACTION READ WRITE; INSERT INTO payment.things (name) VALUES ('x')"

    with pytest.raises(errors.InsufficientPrivilege):
        run(server, AUDITOR, insisting)
    with pytest.raises(errors.ReadOnlySqlTransaction):
        run(server, AUDITOR, "CREATE TEMPORARY TABLE t (id int)")


def test_a_wrong_password_is_refused(server: str) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(server, user=AUDITOR, password="guess", dbname=postgres.DATABASE)
