"""The shop's own tables, roles and rights, and the codes of what they refuse."""

import pytest
from psycopg2 import errorcodes

from conformance import database
from conformance.database import Shop

ORDER = "01890000-0000-7000-8000-000000000001"
OTHER_ORDER = "01890000-0000-7000-8000-000000000002"
PAYMENT = "01890000-0000-7000-8000-0000000000a1"
ADD_PAYMENT = (
    "INSERT INTO payments (id, order_id, amount_minor, currency, payment_method, status)"
    " VALUES (%s, %s, %s, 'USD', 'tok', 'initiated')"
)


def test_it_is_postgresql_18(shop: Shop) -> None:
    with shop.session() as session:
        [(number,)] = session.run("SHOW server_version_num")

    assert int(number) // 10_000 == 18


def test_preparing_the_database_again_changes_nothing(dsn: str, shop: Shop) -> None:
    columns = (
        "SELECT table_schema, table_name, column_name, data_type, column_default"
        " FROM information_schema.columns WHERE table_schema = ANY(%s) ORDER BY 1, 2, 3"
    )
    with shop.session() as session:
        before = session.run(columns, database.services())
    database.prepare(dsn)
    with shop.session() as session:
        after = session.run(columns, database.services())

    assert after == before
    assert {row[0] for row in before} == set(database.services())


def test_a_service_sees_its_own_schema_and_no_other(shop: Shop) -> None:
    with shop.session("order") as session:
        assert session.code_of("SELECT count(*) FROM orders") == ""
        assert (
            session.code_of("SELECT * FROM payment.payments") == errorcodes.INSUFFICIENT_PRIVILEGE
        )
        assert session.code_of("CREATE TABLE mine (id int)") == errorcodes.INSUFFICIENT_PRIVILEGE


@pytest.mark.parametrize(
    ("service", "change"),
    [
        ("payment", "DELETE FROM ledger_entries"),
        ("payment", "UPDATE ledger_entries SET amount_minor = 0"),
        ("catalog", "DELETE FROM product_prices"),
        ("inventory", "DELETE FROM movements"),
        ("order", "UPDATE order_lines SET quantity = 1"),
        ("auth", "DELETE FROM customers"),
    ],
)
def test_a_book_is_only_ever_added_to(dsn: str, shop: Shop, service: str, change: str) -> None:
    database.prepare(dsn)  # As each start of the stack does, after the migrations of the first.

    with shop.session(service) as session:
        assert session.code_of(change) == errorcodes.INSUFFICIENT_PRIVILEGE


def test_a_refused_row_names_its_constraint_and_its_code(shop: Shop) -> None:
    with shop.session("payment") as session:
        negative = session.code_of(ADD_PAYMENT, PAYMENT, ORDER, -1)
        unknown = session.code_of(
            "INSERT INTO operations (id, payment_id, kind) VALUES (%s, %s, 'capture')",
            PAYMENT,
            ORDER,
        )
        no_order = session.code_of(ADD_PAYMENT, PAYMENT, None, 1)

    assert negative == errorcodes.CHECK_VIOLATION
    assert unknown == errorcodes.FOREIGN_KEY_VIOLATION
    assert no_order == errorcodes.NOT_NULL_VIOLATION


def test_a_second_row_of_a_unique_key_is_refused_with_its_code(shop: Shop) -> None:
    with shop.session("payment") as session:
        session.run(ADD_PAYMENT, PAYMENT, ORDER, 1)

        assert session.code_of(ADD_PAYMENT, OTHER_ORDER, ORDER, 1) == errorcodes.UNIQUE_VIOLATION


def test_money_is_captured_or_voided_and_never_both(shop: Shop) -> None:
    add = "INSERT INTO operations (id, payment_id, kind) VALUES (gen_random_uuid(), %s, %s)"
    with shop.session("payment") as session:
        session.run(ADD_PAYMENT, PAYMENT, ORDER, 1)
        session.run(add, PAYMENT, "capture")

        assert session.code_of(add, PAYMENT, "void") == errorcodes.UNIQUE_VIOLATION


def test_a_ledger_that_does_not_balance_is_refused_when_it_is_committed(shop: Shop) -> None:
    entry = (
        "INSERT INTO ledger_entries (payment_id, account, amount_minor, currency, kind)"
        " VALUES (%s, 'sales', -5, 'USD', 'capture')"
    )
    with shop.session("payment") as session:
        [(has_kind,)] = session.run(
            "SELECT count(*) FROM information_schema.columns"
            " WHERE table_name = 'ledger_entries' AND column_name = 'kind'"
        )
        statement = entry if has_kind else entry.replace(", kind", "").replace(", 'capture'", "")
        session.run(ADD_PAYMENT, PAYMENT, ORDER, 1)
        session.run(statement, PAYMENT)

        assert session.code_of("SELECT 1") == errorcodes.CHECK_VIOLATION


def test_positions_of_the_outbox_are_given_by_the_database_only(shop: Shop) -> None:
    with shop.session("order") as session:
        code = session.code_of(
            "INSERT INTO outbox (position, event_id, event_type, subject, body)"
            " VALUES (1, %s, 'order.placed', 'x', '{}')",
            ORDER,
        )

    assert code == errorcodes.GENERATED_ALWAYS


def test_of_events_that_came_before_only_the_new_ones_are_returned(shop: Shop) -> None:
    add = (
        "INSERT INTO inbox (event_id, event_type, subject)"
        " SELECT id::uuid, 'order.placed', 'x' FROM unnest(%s) AS id"
        " ON CONFLICT DO NOTHING RETURNING event_id::text"
    )
    with shop.session("inventory") as session:
        assert session.run(add, [ORDER]) == [(ORDER,)]
        assert session.run(add, [ORDER, OTHER_ORDER]) == [(OTHER_ORDER,)]


def test_uuids_sort_by_their_bytes_and_so_by_their_time(shop: Shop) -> None:
    ids = [ORDER, OTHER_ORDER, "01900000-0000-7000-8000-000000000000"]
    with shop.session() as session:
        found = session.run("SELECT id::text FROM unnest(%s::uuid[]) AS id ORDER BY id", ids[::-1])

    assert [row[0] for row in found] == ids


def test_times_come_back_in_utc_to_the_microsecond(shop: Shop) -> None:
    with shop.session("order") as session:
        [(moment, later)] = session.run(
            "SELECT timestamptz '2026-11-23 12:00:00.123456+02',"
            " timestamptz 'epoch' + make_interval(0, 0, 0, 0, 0, 0, 0.5)"
        )

    assert moment.isoformat() == "2026-11-23T10:00:00.123456+00:00"
    assert later.isoformat() == "1970-01-01T00:00:00.500000+00:00"


def test_a_change_of_prices_writes_history_by_itself(shop: Shop) -> None:
    with shop.session("catalog") as session:
        session.run(
            "INSERT INTO products (sku, name, department, category, price_minor, currency)"
            " VALUES ('MUG-1', 'Mug', 'HOME', 'Mugs', 100, 'USD'),"
            " ('MUG-2', 'Mug', 'HOME', 'Mugs', 200, 'USD')"
        )
        session.run("UPDATE products SET price_minor = 250 WHERE sku = 'MUG-2'")
        session.run("UPDATE products SET name = 'Cup'")
        found = session.run("SELECT sku, price_minor FROM product_prices ORDER BY position")

    assert found == [("MUG-1", 100), ("MUG-2", 200), ("MUG-2", 250)]
