"""Every operation asked by every caller, and the answers as a page. Judges nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from security import recipes
from security.cast import STRANGERS, Caller
from security.operations import Operation
from security.recipes import Recipe
from security.scene import Answer, Belongings, Scene

# Those who may come first: what they change, the others' answers do not depend on.
ORDER_OF_ASKING = (*STRANGERS, Caller.SERVICE, Caller.STAFF, Caller.OWNER)

INTRODUCTION = """# Who may do what

Every operation of every service, asked by everybody, of what belongs to one customer, the owner:
a paid order, its payment, return, stock and mails, a log-in, a cart. The table is written by the
test that asks (`features/security/test_authorization.py`), from a running shop:

    pytest features/security/test_authorization.py --write-authorization

Where a path names nothing of the owner's (`/cart`, `/me`, `/sessions`, `/orders`), the token says
whose it is: each caller is answered about their own. What is somebody else's is answered with 404,
as what does not exist; 403 says that the role may not do this at all. The owner of an order is
not told of what is the staff's: reservations, movements, the books.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """answers: by caller. before, after: the owner's world around what strangers asked."""

    operation: Operation
    answers: dict[Caller, Answer]
    before: dict[str, bytes]
    after: dict[str, bytes]
    belongings: Belongings

    def status(self, caller: Caller) -> int:
        return self.answers[caller].status


def observe(scene: Scene, operation: Operation) -> Row:
    """Ask *operation* as everybody. Raises recipes.NoRecipe."""
    scene.cast.renew()
    recipe = recipes.of(operation)
    belongings = recipe.belongings(scene)
    before = scene.read(belongings)
    answers = {caller: ask(scene, operation, recipe, belongings, caller) for caller in STRANGERS}
    after = scene.read(belongings)
    for caller in ORDER_OF_ASKING:
        if caller not in answers:
            answers[caller] = ask(scene, operation, recipe, belongings, caller)
    return Row(operation, answers, before, after, belongings)


def ask(
    scene: Scene, operation: Operation, recipe: Recipe, belongings: Belongings, caller: Caller
) -> Answer:
    path = belongings.fill(operation.path)
    token = scene.cast.fresh(caller) if recipe.spends_token else scene.cast.token(caller)
    request = recipe.request(scene, caller)
    return scene.ask(operation.service, operation.method, path, token, **request)


def page(rows: Iterable[Row]) -> str:
    parts = [INTRODUCTION]
    for service, group in groupby(rows, lambda row: row.operation.service):
        parts.append(f"\n## {service}\n\n{_table(list(group))}")
    return "".join(parts)


def _table(rows: Sequence[Row]) -> str:
    head = "| operation | " + " | ".join(Caller) + " |\n"
    rule = "|---|" + "---|" * len(Caller) + "\n"
    return head + rule + "".join(map(_line, rows)) + _notes(rows)


def _line(row: Row) -> str:
    mark = " (public)" if row.operation.is_public else ""
    name = row.operation.name.partition(" ")[2]
    return f"| `{name}`{mark} | " + " | ".join(str(row.status(c)) for c in Caller) + " |\n"


def _notes(rows: Sequence[Row]) -> str:
    notes = [
        f"\n`{row.operation.name.partition(' ')[2]}` believes no token but {proof}.\n"
        for row in rows
        if (proof := recipes.of(row.operation).proof)
    ]
    return "".join(notes)
