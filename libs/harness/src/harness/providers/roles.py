"""The database's roles, schemas and rights; may be repeated. Creates no table.

A service's role reads and writes its own schema and sees no other; the migrator owns all schemas;
the auditor reads everything and writes nothing; PUBLIC has nothing.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import psycopg2
from psycopg2 import sql

from harness.providers.postgres import DATABASE, SUPERUSER
from harness.providers.role_names import AUDITOR, MIGRATOR, every_role, service_role

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

CONNECT_TIMEOUT_S = 5


def bootstrap(dsn: str, services: Sequence[str], passwords: Mapping[str, str]) -> None:
    """Create or correct the database `cartwright`, its roles, schemas and rights.

    dsn: the superuser's, to any database. passwords: by role, for `every_role`.
    """
    administration = psycopg2.connect(dsn, dbname=SUPERUSER, connect_timeout=CONNECT_TIMEOUT_S)
    administration.autocommit = True  # CREATE DATABASE refuses a transaction.
    try:
        _create_roles(administration, {role: passwords[role] for role in every_role(services)})
        _create_database(administration)
    finally:
        administration.close()
    shop = psycopg2.connect(dsn, dbname=DATABASE, connect_timeout=CONNECT_TIMEOUT_S)
    try:
        with shop:
            _grant_database(shop, services)
            for service in services:
                _create_schema(shop, service)
    finally:
        shop.close()


def _create_roles(connection: "Connection", passwords: Mapping[str, str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolname FROM pg_roles")
        existing = {row[0] for row in cursor.fetchall()}
        for role, password in passwords.items():
            verb = "ALTER" if role in existing else "CREATE"
            cursor.execute(
                sql.SQL(
                    "{verb} ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE"
                    " PASSWORD {password}"
                ).format(
                    verb=sql.SQL(verb),
                    role=sql.Identifier(role),
                    password=sql.Literal(password),
                )
            )


def _create_database(connection: "Connection") -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
        if cursor.fetchone() is None:
            # STRATEGY wal_log (the default) copies an empty database fastest. UTF8, whatever the
            # server's own: the catalogue folds letters by a collation that only UTF8 has.
            cursor.execute(
                sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(
                    sql.Identifier(DATABASE)
                )
            )
        for database in (DATABASE, SUPERUSER, "template1"):
            cursor.execute(
                sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database))
            )


def _grant_database(connection: "Connection", services: Sequence[str]) -> None:
    names = {"database": sql.Identifier(DATABASE), "migrator": sql.Identifier(MIGRATOR)}
    statements = [
        # CREATE: a migration may want an extension that PostgreSQL trusts, such as pg_trgm.
        "GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {database} TO {migrator}",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {migrator} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
        "ALTER ROLE {auditor} IN DATABASE {database} SET default_transaction_read_only = on",
    ]
    names["auditor"] = sql.Identifier(AUDITOR)
    readers = [AUDITOR, *(service_role(service) for service in services)]
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(sql.SQL(statement).format(**names))
        cursor.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {database} TO {readers}").format(
                database=names["database"],
                readers=sql.SQL(", ").join(map(sql.Identifier, readers)),
            )
        )


# The loop is for what a migration made before these rights were as they are now. It leaves alone
# what the service may read already: a migration may have taken rights away since, of a book that
# is only ever added to.
_SCHEMA_RIGHTS = """
CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {migrator};
ALTER ROLE {service} IN DATABASE {database} SET search_path = {schema};
GRANT USAGE ON SCHEMA {schema} TO {service}, {auditor};
DO $$ DECLARE made regclass; BEGIN
  FOR made IN SELECT oid FROM pg_class
   WHERE relnamespace = {schema_name}::regnamespace AND relkind IN ('r', 'p', 'v')
     AND NOT has_table_privilege({service_name}, oid, 'SELECT')
  LOOP
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', made, {service_name});
  END LOOP;
END $$;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {service};
GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {auditor};
GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {auditor};
ALTER DEFAULT PRIVILEGES FOR ROLE {migrator} IN SCHEMA {schema}
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {service};
ALTER DEFAULT PRIVILEGES FOR ROLE {migrator} IN SCHEMA {schema}
  GRANT USAGE, SELECT ON SEQUENCES TO {service};
ALTER DEFAULT PRIVILEGES FOR ROLE {migrator} IN SCHEMA {schema}
  GRANT EXECUTE ON FUNCTIONS TO {service};
ALTER DEFAULT PRIVILEGES FOR ROLE {migrator} IN SCHEMA {schema}
  GRANT SELECT ON TABLES TO {auditor};
ALTER DEFAULT PRIVILEGES FOR ROLE {migrator} IN SCHEMA {schema}
  GRANT SELECT ON SEQUENCES TO {auditor};
"""


def _create_schema(connection: "Connection", service: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(_SCHEMA_RIGHTS).format(
                database=sql.Identifier(DATABASE),
                schema=sql.Identifier(service),
                service=sql.Identifier(service_role(service)),
                schema_name=sql.Literal(service),
                service_name=sql.Literal(service_role(service)),
                migrator=sql.Identifier(MIGRATOR),
                auditor=sql.Identifier(AUDITOR),
            )
        )
