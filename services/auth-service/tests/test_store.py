import pytest
from auth.domain import Credentials, Customer
from auth.store import customers as store
from common.db import Database
from common.ids import new_id
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

ANA = Customer(new_id(), "ana@example.com", "Ana")
HASH = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA"


@pytest.fixture(autouse=True)
def ana(db: Database) -> None:
    with db.transaction() as tx:
        assert store.add(tx, ANA, HASH)


def test_who_was_added_is_found_by_id_and_by_address(db: Database) -> None:
    with db.transaction() as tx:
        credentials = store.find_credentials(tx, email="ana@example.com")

        assert store.find(tx, ANA.id) == ANA
    assert credentials is not None
    assert (credentials.customer_id, credentials.role) == (ANA.id, "customer")
    assert credentials.password_hash == HASH


def test_an_address_is_taken_once(db: Database) -> None:
    with db.transaction() as tx:
        assert not store.add(tx, Customer(new_id(), ANA.email, "Another Ana"), HASH)


@pytest.mark.parametrize(
    "id_", ["0195f000-0000-7000-8000-000000000000", "ana", "", "order", "' OR true --", "\x00"]
)
def test_nobody_else_is_found(db: Database, id_: str) -> None:
    with db.transaction() as tx:
        assert store.find(tx, id_) is None


@pytest.mark.parametrize("email", ["bob@example.com", "' OR true --", "%", "ANA@example.com"])
def test_no_other_address_is_found(db: Database, email: str) -> None:
    with db.transaction() as tx:
        assert store.find_credentials(tx, email=email) is None


@pytest.mark.parametrize(
    ("email", "password_hash"),
    [("Bob@example.com", HASH), ("b@", HASH), ("b" * 255, HASH), ("bob@example.com", "secret")],
    ids=["upper case", "too short", "too long", "no hash"],
)
def test_the_database_itself_refuses_what_no_customer_can_be(
    db: Database, email: str, password_hash: str
) -> None:
    with pytest.raises(IntegrityError), db.transaction() as tx:
        store.add(tx, Customer(new_id(), email, "Bob"), password_hash)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE customers SET role = 'staff'",
        "UPDATE customers SET email = 'bob@example.com'",
        "DELETE FROM customers",
        "INSERT INTO customers (role) VALUES ('staff')",
        "INSERT INTO role_changes (role) VALUES ('staff')",
        "DELETE FROM role_changes",
        "UPDATE refresh_tokens SET generation = 1",
    ],
    ids=["promote", "change", "delete", "add staff", "say so", "deny it", "turn back"],
)
def test_the_service_can_make_nobody_staff_and_rewrite_no_history(
    db: Database, statement: str
) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), db.transaction() as tx:
        tx.execute(text(statement))


def test_a_password_is_replaced_only_where_the_old_one_is_known(db: Database) -> None:
    known, stale = Credentials(ANA.id, "customer", HASH), Credentials(ANA.id, "customer", "old")

    with db.transaction() as tx:
        assert not store.replace_password(tx, stale, HASH + "x")
        assert store.replace_password(tx, known, HASH + "y")

        found = store.find_credentials(tx, customer_id=ANA.id)
    assert found == Credentials(ANA.id, "customer", HASH + "y")
