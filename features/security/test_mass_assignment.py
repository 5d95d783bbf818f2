"""No body sets what is not its business: a member too many is refused, and nothing is changed.

OWASP API3:2023. Each member is put into each object of a request that would otherwise be granted.
"""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from harness import stack
from harness.contracts.lock import contracts
from security import recipes
from security.cast import Caller
from security.scene import Scene
from security.table import Row

# In one process with the authorization table: its rows are asked for once.
pytestmark = pytest.mark.xdist_group("table")

MEMBERS: dict[str, Any] = {
    "status": "confirmed",
    "state": "captured",
    "total_minor": 1,
    "price_minor": 1,
    "unit_price_minor": 1,
    "role": "staff",
    "customer_id": "01900000-0000-7000-8000-000000000000",
    "is_admin": True,
    "paid": True,
    "version": 1,
    "id": "01900000-0000-7000-8000-000000000000",
    "__proto__": {"role": "staff"},
}
# The provider may add what it likes to its webhooks, and is believed by its signature.
OPEN = {"payment POST /webhooks/payment-provider"}
# Those who may do most come first.
BY_RIGHTS = (Caller.STAFF, Caller.OWNER, Caller.GUEST, Caller.NOBODY)


def writable() -> list[str]:
    """Operations that take JSON."""
    return [
        f"{service} {method.upper()} {placeholders(path)}"
        for service, document in contracts(stack.repository())
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if isinstance(operation, dict)
        and "application/json" in operation.get("requestBody", {}).get("content", {})
    ]


def placeholders(path: str) -> str:
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


WRITABLE = [name for name in writable() if name not in OPEN]


def objects_in(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the objects of *body* are."""
    if isinstance(body, dict):
        yield path
    parts = body.items() if isinstance(body, dict) else enumerate(body)
    for key, part in parts:
        if isinstance(part, dict | list):
            yield from objects_in(part, (*path, key))


def with_member(body: Any, path: tuple[Any, ...], name: str, value: object) -> Any | None:
    """None where the object may have that member anyway."""
    changed = copy.deepcopy(body)
    target = changed
    for key in path:
        target = target[key]
    return None if name in target else target.update({name: value}) or changed


def test_every_body_is_among_them() -> None:
    assert len(WRITABLE) >= 20


@pytest.mark.parametrize("name", WRITABLE)
def test_a_member_too_many_is_refused_and_changes_nothing(
    scene: Scene, rows: dict[str, Row], name: str
) -> None:
    operation = rows[name].operation
    recipe = recipes.of(operation)
    caller = next(c for c in BY_RIGHTS if rows[name].answers[c].granted)
    belongings = recipe.belongings(scene)
    request = recipe.request(scene, caller)
    token = scene.cast.fresh(caller) if recipe.spends_token else scene.cast.token(caller)
    before = scene.read(belongings)

    answers = {
        f"{path} {member}": scene.ask(
            operation.service,
            operation.method,
            belongings.fill(operation.path),
            token,
            **{**request, "json": body},
        ).status
        for path in objects_in(request["json"])
        for member, value in MEMBERS.items()
        if (body := with_member(request["json"], path, member, value)) is not None
    }

    assert set(answers.values()) <= {400, 422}, answers
    assert scene.read(belongings) == before
