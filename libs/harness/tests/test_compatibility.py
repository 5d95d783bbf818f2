"""A contract may grow; what a client relied on may not go."""

from typing import Any

import pytest
from harness.contracts.compatibility import Direction, breaks

OLD: dict[str, Any] = {
    "type": "object",
    "required": ["order_id"],
    "properties": {
        "order_id": {"type": "string", "maxLength": 64},
        "status": {"type": "string", "enum": ["pending", "confirmed"]},
        "lines": {"type": "array", "items": {"type": "object", "properties": {"sku": {}}}},
    },
}


def changed(**members: Any) -> dict[str, Any]:
    return OLD | {"properties": OLD["properties"] | members}


@pytest.mark.parametrize("direction", list(Direction))
def test_the_same_contract_breaks_nothing(direction: Direction) -> None:
    assert list(breaks(OLD, OLD, direction)) == []


@pytest.mark.parametrize("direction", list(Direction))
def test_a_new_optional_member_breaks_nothing(direction: Direction) -> None:
    assert list(breaks(OLD, changed(note={"type": "string"}), direction)) == []


@pytest.mark.parametrize("direction", list(Direction))
def test_a_member_that_goes_breaks(direction: Direction) -> None:
    new = OLD | {"properties": {"order_id": OLD["properties"]["order_id"]}}

    assert list(breaks(OLD, new, direction)) == [
        "/lines: was there, is gone",
        "/status: was there, is gone",
    ]


SAYS, TAKES = Direction.SAYS, Direction.TAKES
STATUS = {"type": "string", "enum": ["pending", "confirmed"]}


@pytest.mark.parametrize(
    ("new", "broken"),
    [
        pytest.param(OLD | {"required": []}, {SAYS}, id="no longer always there"),
        pytest.param(OLD | {"required": ["order_id", "status"]}, {TAKES}, id="now required"),
        pytest.param(
            changed(order_id={"type": ["string", "null"], "maxLength": 64}),
            {SAYS},
            id="may be null",
        ),
        pytest.param(
            changed(order_id={"type": "integer", "maxLength": 64}), {SAYS, TAKES}, id="another type"
        ),
        pytest.param(changed(order_id={"type": "string", "maxLength": 128}), {SAYS}, id="longer"),
        pytest.param(changed(order_id={"type": "string", "maxLength": 32}), {TAKES}, id="shorter"),
        pytest.param(changed(order_id={"type": "string"}), {SAYS}, id="unbounded"),
        pytest.param(changed(status=STATUS | {"enum": ["pending"]}), {TAKES}, id="a value less"),
        pytest.param(
            changed(status=STATUS | {"enum": ["pending", "confirmed", "lost"]}),
            {SAYS},
            id="a value more",
        ),
        pytest.param(changed(status={"type": "string"}), {SAYS}, id="any value"),
    ],
)
def test_what_is_said_may_only_narrow_and_what_is_taken_only_widen(
    new: dict[str, Any], broken: set[Direction]
) -> None:
    assert {direction for direction in Direction if list(breaks(OLD, new, direction))} == broken


def test_a_break_deep_inside_is_found_and_named() -> None:
    lines = {"type": "array", "items": {"type": "object", "properties": {}}}

    assert list(breaks(OLD, changed(lines=lines), Direction.SAYS)) == [
        "/lines/*/sku: was there, is gone"
    ]
