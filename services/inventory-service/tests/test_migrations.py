"""A shop that is open already can be brought up to date."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from common import migrations
from common.ids import new_id

SERVICE = Path(__file__).parents[1]


@pytest.fixture
def old_database(database_url: str) -> Iterator[str]:
    """Another database of the same server, at version 1; its owner's URL."""
    name = "test_inventory_old"
    owner = sa.make_url(database_url).set(username="postgres")
    server = sa.create_engine(owner, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with server.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    url = owner.set(database=name).render_as_string(hide_password=False)
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE SCHEMA inventory"))
    migrations.upgrade(url, [SERVICE], "0001")
    yield url
    engine.dispose()
    with server.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


def test_a_database_with_rows_is_upgraded(old_database: str) -> None:
    held, sold = new_id(), new_id()
    engine = sa.create_engine(
        old_database,
        poolclass=sa.NullPool,
        connect_args={"options": "-c search_path=inventory"},
    )
    with engine.begin() as tx:
        tx.execute(sa.text("INSERT INTO stock VALUES ('MUG-1', 8, 1)"))
        tx.execute(
            sa.text(
                "INSERT INTO reservations (order_id, state, created_at) VALUES"
                " (:held, 'held', now() - interval '1 hour'),"
                " (:sold, 'committed', now() - interval '1 hour')"
            ),
            {"held": held, "sold": sold},
        )
        tx.execute(
            sa.text(
                "INSERT INTO movements (sku, delta_on_hand, delta_reserved, reason, order_id)"
                " VALUES ('MUG-1', 10, 0, 'receipt', NULL), ('MUG-1', -1, 0, 'adjustment', NULL),"
                " ('MUG-1', 0, 1, 'reserve', :held), ('MUG-1', 0, 1, 'reserve', :sold),"
                " ('MUG-1', -1, -1, 'commit', :sold)"
            ),
            {"held": held, "sold": sold},
        )

    migrations.upgrade(old_database, [SERVICE])

    with engine.begin() as tx:
        balances = tx.execute(sa.text("SELECT * FROM balances_from_movements")).one()
        due = tx.scalars(
            sa.text(
                "SELECT order_id::text FROM reservations"
                " WHERE state = 'held' AND asked_at < now() - interval '20 minutes'"
            )
        ).all()
    engine.dispose()
    assert tuple(balances) == ("MUG-1", 8, 1)
    assert due == [held], "what was held before is asked about too"
