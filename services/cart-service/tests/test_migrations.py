"""A shop that is open already can be brought up to date."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from common import migrations

SERVICE = Path(__file__).parents[1]


@pytest.fixture
def old_database(database_url: str) -> Iterator[str]:
    """Another database of the same server, at version 1; its owner's URL."""
    name = "test_cart_old"
    owner = sa.make_url(database_url).set(username="postgres")
    server = sa.create_engine(owner, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with server.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    url = owner.set(database=name).render_as_string(hide_password=False)
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE SCHEMA cart"))
    engine.dispose()
    migrations.upgrade(url, [SERVICE], "0001")
    yield url
    with server.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


def test_carts_there_are_kept_as_customers_and_as_they_were(old_database: str) -> None:
    engine = sa.create_engine(
        old_database, poolclass=sa.NullPool, connect_args={"options": "-c search_path=cart"}
    )
    with engine.begin() as tx:
        tx.execute(
            sa.text(
                "INSERT INTO carts (customer_id, lines, version)"
                """ VALUES ('ana', '[{"sku": "MUG-1", "quantity": 2}]', 7)"""
            )
        )

    migrations.upgrade(old_database, [SERVICE])

    with engine.begin() as tx:
        cart = tx.execute(sa.text("SELECT * FROM carts")).mappings().one()
    engine.dispose()
    assert (cart["customer_id"], cart["version"]) == ("ana", 7)
    assert cart["lines"] == [{"sku": "MUG-1", "quantity": 2}]
    assert (cart["owner"], cart["merged_into"], cart["shown_prices"]) == ("customer", None, {})
