"""A database that was in use before keeps what it had."""

import shutil
from pathlib import Path

import sqlalchemy as sa
from common import migrations
from common.testing import migrated_database

SERVICE = Path(__file__).parents[1]
BEFORE = """
INSERT INTO payments (id, order_id, amount_minor, currency, payment_method, status)
  SELECT ('00000000-0000-7000-8000-00000000000' || n)::uuid,
         ('10000000-0000-7000-8000-00000000000' || n)::uuid, 1999, 'USD', 'pm_ok', status
    FROM (VALUES (1, 'captured'), (2, 'initiated'), (3, 'voided')) AS old (n, status);
INSERT INTO operations (id, payment_id, kind, state, attempts)
  VALUES ('20000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000001',
          'capture', 'done', 1),
         ('20000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-000000000002',
          'authorize', 'due', 3);
INSERT INTO ledger_entries (payment_id, account, amount_minor, currency)
  VALUES ('00000000-0000-7000-8000-000000000001', 'provider_receivable', 1999, 'USD'),
         ('00000000-0000-7000-8000-000000000001', 'sales', -1999, 'USD');
"""


def test_a_database_with_payments_in_it_is_upgraded(tmp_path: Path) -> None:
    old = tmp_path / "payment-service"
    shutil.copytree(SERVICE / "migrations", old / "migrations")
    for later in (old / "migrations" / "versions").glob("*.py"):
        if not later.name.startswith("0001_"):
            later.unlink()

    with migrated_database("payment_upgrade_test", _named(old)) as url:
        owner = sa.create_engine(sa.make_url(url).set(username="postgres"), poolclass=sa.NullPool)
        with owner.begin() as tx:
            tx.execute(sa.text("SET search_path = payment_upgrade_test"))
            tx.execute(sa.text(BEFORE))
        shutil.copytree(SERVICE / "migrations", _named(old) / "migrations", dirs_exist_ok=True)
        migrations.upgrade(owner.url.render_as_string(hide_password=False), [_named(old)])
        with owner.begin() as tx:
            tx.execute(sa.text("SET search_path = payment_upgrade_test"))
            operations = tx.execute(
                sa.text("SELECT first_attempt_at IS NOT NULL FROM operations ORDER BY id")
            )
            statuses = tx.scalars(sa.text("SELECT status FROM payments ORDER BY id")).all()
            entries = tx.scalar(sa.text("SELECT count(*) FROM ledger_entries"))
            started = operations.scalars().all()
        owner.dispose()

    assert statuses == ["captured", "initiated", "voided"]
    assert entries == 2
    assert started == [True, True]


def _named(old: Path) -> Path:
    """The schema is called as the folder is."""
    directory = old.parent / "payment_upgrade_test-service"
    if not directory.exists():
        shutil.copytree(old, directory)
    return directory
