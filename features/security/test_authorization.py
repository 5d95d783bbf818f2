"""Every operation × every caller: the answers are those of docs/authorization.md, and are right.

What holds whatever the table says: nobody without a token, no stranger at what is the owner's, no
word about it in the answer, and nothing changed.
"""

from collections.abc import Callable

import pytest
from harness import stack
from security import recipes, table
from security.cast import STRANGERS, Caller
from security.operations import METHODS, Operation, all_operations
from security.scene import Scene
from security.table import Row

# In one process: the rows are asked for once.
pytestmark = pytest.mark.xdist_group("table")

PAGE = stack.repository() / "docs/authorization.md"
OPERATIONS = all_operations()
# What an address may be asked for; TRACE would show a script the headers it must not read.
VERBS = (*(method.upper() for method in METHODS), "TRACE")
NAMES = [operation.name for operation in OPERATIONS]
# Whoever sends the owner's password is the owner, and makes a log-in of the owner's.
LOGIN = "auth POST /login"
# Products and stock are nobody's, and imports the staff's.
NOBODYS = {"sku", "import_id"}


def names(chosen: Callable[[Operation], bool]) -> list[str]:
    return [operation.name for operation in OPERATIONS if chosen(operation)]


def is_persons(operation: Operation) -> bool:
    """Whether its path names what may be somebody else's."""
    return bool(set(operation.parameters) - NOBODYS)


@pytest.fixture
def row(name: str, rows: dict[str, Row]) -> Row:
    return rows[name]


@pytest.mark.parametrize(("method", "takes_body"), [("POST", True), ("DELETE", False)])
def test_a_new_operation_needs_a_recipe(method: str, takes_body: bool) -> None:  # noqa: FBT001
    new = Operation("order", method, "/gifts/{gift_id}", takes_body, is_public=False)

    with pytest.raises(recipes.NoRecipe, match=f"order {method} /gifts/{{}}"):
        recipes.of(new)


def test_no_recipe_is_for_an_operation_that_is_gone() -> None:
    assert recipes.RECIPES.keys() - set(NAMES) == set()


def test_the_table_is_as_the_shop_answers(
    rows: dict[str, Row], pytestconfig: pytest.Config
) -> None:
    written = table.page(rows.values())
    if pytestconfig.getoption("--write-authorization"):
        PAGE.write_text(written, encoding="utf-8")

    assert PAGE.read_text(encoding="utf-8") == written, (
        "look whether the change is meant, then:"
        " pytest features/security/test_authorization.py --write-authorization"
    )


@pytest.mark.parametrize("name", NAMES)
def test_whoever_may_do_it_can(row: Row) -> None:
    """Else a refusal would prove nothing: the request itself could be wrong."""
    granted = {caller for caller in Caller if row.answers[caller].granted}

    assert granted or recipes.of(row.operation).proof
    assert not any(answer.status >= 500 for answer in row.answers.values())


@pytest.mark.parametrize("name", NAMES)
def test_without_a_token_that_holds_nobody_gets_past_what_is_public(row: Row) -> None:
    statuses = {row.status(Caller.NOBODY), row.status(Caller.GARBAGE)}

    if row.operation.is_public:
        assert 401 not in statuses
    else:
        assert statuses == {401}


@pytest.mark.parametrize("name", names(is_persons))
def test_what_is_somebody_elses_is_not_found(row: Row) -> None:
    owner_may = row.answers[Caller.OWNER].granted

    assert row.status(Caller.OTHER) == (404 if owner_may else 403)
    assert row.status(Caller.GUEST) in {403, 404}


def test_what_the_owner_may_not_no_shopper_may(rows: dict[str, Row]) -> None:
    closed = [row for row in rows.values() if row.status(Caller.OWNER) == 403]

    assert closed
    for row in closed:
        assert {row.status(Caller.OTHER), row.status(Caller.GUEST)} == {403}, row.operation


@pytest.mark.parametrize("name", names(lambda o: not o.is_public and o.method != "GET"))
def test_a_service_changes_nothing_in_its_own_name(row: Row) -> None:
    """It has no rights of the shopper for whom it asks (confused deputy)."""
    assert row.status(Caller.SERVICE) == 403


@pytest.mark.parametrize("name", names(is_persons))
def test_a_service_reads_nothing_of_persons(row: Row) -> None:
    """Services are told what they need by events; a stolen token of one opens no order."""
    assert row.status(Caller.SERVICE) == 403


@pytest.mark.parametrize("name", names(lambda o: o.name != LOGIN))
def test_no_stranger_hears_a_word_about_the_owner(row: Row, scene: Scene) -> None:
    for caller in STRANGERS:
        told = row.answers[caller].text
        assert [secret for secret in secrets(row, scene) if secret in told] == [], caller


@pytest.mark.parametrize("name", names(lambda o: o.name != LOGIN))
def test_nothing_of_the_owners_is_changed_by_strangers(row: Row) -> None:
    assert row.before == row.after


@pytest.mark.parametrize("caller", [Caller.NOBODY, Caller.STAFF])
@pytest.mark.parametrize("operation", OPERATIONS, ids=NAMES)
def test_a_path_knows_no_other_method(scene: Scene, operation: Operation, caller: Caller) -> None:
    known = {
        o.method for o in OPERATIONS if (o.service, o.path) == (operation.service, operation.path)
    }
    path = scene.belongings.fill(operation.path)

    answers = {
        verb: scene.ask(operation.service, verb, path, scene.cast.token(caller))
        for verb in set(VERBS) - known
    }

    assert {answer.status for answer in answers.values()} == {405}
    assert all(known <= allowed(answer.headers["Allow"]) for answer in answers.values())


def secrets(row: Row, scene: Scene) -> list[str]:
    """What is the owner's, but for what the stranger has written into the path."""
    owner, things = scene.cast.owner, row.belongings
    ids = {name: things.of(name) for name in ("order_id", "return_id", "session_id")}
    unasked = [one for name, one in ids.items() if name not in row.operation.parameters]
    return [owner.id, owner.email, str(scene.total_minor), *unasked]


def allowed(header: str) -> set[str]:
    return {method.strip() for method in header.split(",")}
