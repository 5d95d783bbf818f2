"""Refunds that race wait for one another before they hold anything that the other one needs.

The reference to its payment is checked after a row is there, and takes a share of the payment's
lock; who then asked for all of it (0002) met whoever had done the same: a deadlock.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

ONE_AFTER_ANOTHER = """
CREATE FUNCTION refunds_one_after_another() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM payments WHERE id = NEW.payment_id FOR UPDATE;
  RETURN NEW;
END $$
"""


def upgrade() -> None:
    op.execute(ONE_AFTER_ANOTHER)
    op.execute(
        "CREATE TRIGGER refunds_one_after_another BEFORE INSERT OR UPDATE OF amount_minor,"
        " payment_id ON refunds FOR EACH ROW EXECUTE FUNCTION refunds_one_after_another()"
    )
