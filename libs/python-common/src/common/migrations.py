"""Alembic for seven schemas: `python -m common.migrations upgrade <service-dir>...`

Each service's `migrations/env.py` is three lines that call `run`. The schema is the service's
name; the role that migrates owns it, the role that serves does not.
"""

import argparse
import os
import sys
from pathlib import Path

import sqlalchemy as sa
from alembic import command, context
from alembic.config import Config
from alembic.op import create_index, create_table

# A migration that waits for a lock stops everybody behind it: give up instead, and try later.
LOCK_TIMEOUT = "4s"
STATEMENT_TIMEOUT = "60s"


def run(metadata: sa.MetaData | None = None) -> None:
    """The body of every `env.py`: upgrade one service's schema in one transaction."""
    config = context.config
    schema = config.get_main_option("schema")
    if not schema:
        raise RuntimeError("run migrations by `python -m common.migrations upgrade`")
    connection: sa.Connection = config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table="alembic_version",
        version_table_schema=schema,
    )
    with context.begin_transaction():
        context.run_migrations()


def upgrade(database_url: str, service_dirs: list[Path], revision: str = "head") -> None:
    """Bring each service's schema to *revision*. Schemas must exist (the provider makes them)."""
    engine = sa.create_engine(database_url, poolclass=sa.NullPool)
    try:
        for directory in service_dirs:
            schema = directory.name.removesuffix("-service")
            with engine.begin() as connection:
                connection.execute(
                    sa.text("SELECT set_config('search_path', :path, false)"),
                    {"path": f'"{schema}"'},
                )
                connection.execute(sa.text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
                connection.execute(sa.text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))
                config = Config()
                config.set_main_option("script_location", str(directory / "migrations"))
                config.set_main_option("path_separator", "os")
                config.set_main_option("schema", schema)
                config.attributes["connection"] = connection
                command.upgrade(config, revision)
    finally:
        engine.dispose()


def create_messaging_tables() -> None:
    """Version 1 of `common.events`' outbox and inbox. Frozen: a change is a new function."""
    now = sa.func.now()
    create_table(
        "outbox",
        sa.Column("position", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("event_id", sa.UUID, nullable=False, unique=True),
        sa.Column("event_type", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("traceparent", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
        sa.Column("published_at", sa.DateTime(timezone=True)),
    )
    create_index(
        "outbox_unpublished",
        "outbox",
        ["position"],
        postgresql_where=sa.text("published_at IS NULL"),
    )
    create_table(
        "inbox",
        sa.Column("event_id", sa.UUID, primary_key=True),
        sa.Column("event_type", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
    )


def create_idempotency_table() -> None:
    """Version 1 of `common.idempotency`'s table. Frozen: a change is a new function."""
    create_table(
        "idempotency_keys",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("location", sa.Text),
        sa.Column("body", sa.Text),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
    )
    index_idempotency_keys_by_age()


def index_idempotency_keys_by_age() -> None:
    """So that `common.retention` finds the old ones among a million."""
    create_index("idempotency_keys_by_age", "idempotency_keys", ["created_at"])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m common.migrations", description=__doc__)
    parser.add_argument("action", choices=["upgrade"])
    parser.add_argument("service_dirs", nargs="+", type=Path, help="e.g. services/order-service")
    chosen = parser.parse_args(arguments)
    url = os.environ.get("DATABASE_URL")
    if not url:
        parser.error("set DATABASE_URL to the migrator's postgresql+psycopg2:// URL")
    missing = [str(d) for d in chosen.service_dirs if not (d / "migrations" / "env.py").exists()]
    if missing:
        parser.error(f"no migrations/env.py in {', '.join(missing)}")
    upgrade(url, chosen.service_dirs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
