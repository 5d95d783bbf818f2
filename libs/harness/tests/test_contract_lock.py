"""A contract that breaks a promise fails the build; one that grows has to say so."""

import json
from pathlib import Path

import pytest
import yaml
from harness.contracts import lock

EVENT = {
    "description": "An order was accepted.",
    "type": "object",
    "required": ["order_id"],
    "properties": {"order_id": {"type": "string"}, "title": {"type": "string"}},
}
OPENAPI = {
    "openapi": "3.1.0",
    "paths": {
        "/orders/{id}": {
            "parameters": [{"$ref": "#/components/parameters/Id"}],
            "post": {
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/In"}}
                    },
                },
                "responses": {
                    "202": {
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Order"}}
                        }
                    }
                },
            },
        }
    },
    "components": {
        "parameters": {
            "Id": {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
        },
        "schemas": {
            "In": {"type": "object", "properties": {"email": {"type": "string"}}},
            "Order": {
                "type": "object",
                "required": ["id"],
                "properties": {
                    "id": {"type": "string", "description": "Its own."},
                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Order"}},
                },
            },
        },
    },
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "infra").mkdir()
    (tmp_path / "services/order-service/contract/events").mkdir(parents=True)
    write(tmp_path, EVENT, OPENAPI)
    assert lock.main(["--accept", "--root", str(tmp_path)]) == 0
    return tmp_path


def write(root: Path, event: object, openapi: object) -> None:
    contract = root / "services/order-service/contract"
    (contract / "events/order.placed.v1.json").write_text(json.dumps(event))
    (contract / "openapi.yaml").write_text(yaml.safe_dump(openapi))


def check(root: Path) -> int:
    return lock.main(["--root", str(root)])


def edited(text: str, before: str, after: str) -> object:
    assert before in text
    return json.loads(text.replace(before, after))


def test_an_unchanged_contract_passes(root: Path) -> None:
    assert check(root) == 0


def test_prose_may_change_and_a_member_called_title_is_no_prose(root: Path) -> None:
    write(root, EVENT | {"description": "Accepted."}, OPENAPI)
    passed = check(root)
    write(root, EVENT | {"properties": {"order_id": {"type": "string"}}}, OPENAPI)

    assert passed == 0
    assert check(root) == 1


def test_a_contract_that_grew_has_to_be_accepted(root: Path) -> None:
    grown = EVENT | {"properties": EVENT["properties"] | {"note": {"type": "string"}}}  # type: ignore[operator]
    write(root, grown, OPENAPI)

    assert check(root) == 1
    assert lock.main(["--accept", "--root", str(root)]) == 0
    assert check(root) == 0


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ('"required": ["id"]', '"required": []', "may now be missing"),
        ('"id": {"type": "string", "desc', '"id": {"type": "integer", "desc', "type was"),
        ('"202"', '"201"', "no longer answers 202"),
        ('"email": {"type": "string"}', '"mail": {"type": "string"}', "/body/email: was there"),
        ('"post"', '"put"', "is gone"),
        ('"path", "required": true', '"query", "required": true', "query:id: need not be there"),
    ],
)
def test_a_broken_operation_is_named_and_not_accepted_by_the_way(
    root: Path, capsys: pytest.CaptureFixture[str], before: str, after: str, fault: str
) -> None:
    write(root, EVENT, edited(json.dumps(OPENAPI), before, after))

    assert lock.main(["--accept", "--root", str(root)]) == 1
    assert fault in capsys.readouterr().err


def test_an_event_that_is_no_longer_published_is_a_broken_promise(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "services/order-service/contract/events/order.placed.v1.json").unlink()

    assert check(root) == 1
    assert "order.placed: is no longer published" in capsys.readouterr().err


def test_breaking_on_purpose_takes_a_word_of_its_own(root: Path) -> None:
    write(root, EVENT | {"required": []}, OPENAPI)

    assert lock.main(["--accept-breaking", "--root", str(root)]) == 0
    assert check(root) == 0
