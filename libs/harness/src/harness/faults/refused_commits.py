"""Commits that PostgreSQL refuses on our order, as it refuses one of two that disagree.

A deferred constraint trigger fails at the commit, when the transaction thinks that all is done;
and a sequence counts, as it forgets nothing that is rolled back.
"""

from psycopg2 import sql
from psycopg2.extensions import connection as Server  # noqa: N812  It is a class.

# One schema, so that all of it goes at once whoever left it behind.
SCHEMA = sql.Identifier("planted_faults")
# Waits no longer than this for whoever writes to the table; the services wait for us meanwhile.
LOCK_TIMEOUT = sql.SQL("SET LOCAL lock_timeout = '2s'")
# Two that make it at once disagree, IF NOT EXISTS or not.
MAKE_ROOM = sql.SQL("""
SELECT pg_advisory_xact_lock(hashtext('planted_faults'));
CREATE SCHEMA IF NOT EXISTS {schema};
""").format(schema=SCHEMA)
REFUSE = sql.SQL("""
CREATE SEQUENCE {schema}.{name};
CREATE FUNCTION {schema}.{name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  IF nextval({counter}) <= {times} THEN
    RAISE EXCEPTION 'refused on purpose' USING ERRCODE = 'serialization_failure';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER {name} AFTER INSERT OR UPDATE ON {table}
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {schema}.{name}();
""")
COUNTED = sql.SQL("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {schema}.{name}")
END = sql.SQL("DROP TRIGGER {name} ON {table}; DROP FUNCTION {schema}.{name}();"
              " DROP SEQUENCE {schema}.{name}")  # fmt: skip
END_ALL = sql.SQL("DROP SCHEMA IF EXISTS {schema} CASCADE").format(schema=SCHEMA)


def begin(server: Server, name: str, table: str, times: int) -> None:
    """The next *times* transactions that write to *table*, ``order.orders``, are refused at their
    commit with SQLSTATE 40001. name: to end it by.
    """
    parts = _parts(name, table) | {
        "counter": sql.Literal(f"planted_faults.{name}"),
        "times": sql.Literal(times),
    }
    _execute(server, MAKE_ROOM)
    _execute(server, REFUSE.format(**parts))


def end(server: Server, name: str, table: str, times: int) -> int:
    """How many were refused."""
    parts = _parts(name, table)
    with server, server.cursor() as cursor:
        cursor.execute(LOCK_TIMEOUT)
        cursor.execute(COUNTED.format(**parts))
        (counted,) = cursor.fetchone() or (0,)
        cursor.execute(END.format(**parts))
    return min(times, int(counted))


def end_all(server: Server) -> None:
    """Whatever somebody has left behind."""
    _execute(server, END_ALL)


def _execute(server: Server, statements: sql.Composed) -> None:
    with server, server.cursor() as cursor:
        cursor.execute(LOCK_TIMEOUT)
        cursor.execute(statements)


def _parts(name: str, table: str) -> dict[str, sql.Composable]:
    return {
        "schema": SCHEMA,
        "name": sql.Identifier(name),
        "table": sql.Identifier(*table.split(".")),
    }
