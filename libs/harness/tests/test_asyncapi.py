"""Every service's AsyncAPI document is the one its topology and schemas make, and is valid."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from harness.contracts import asyncapi
from harness.contracts.asyncapi import SchemaMissing
from harness.topology import model
from jsonschema import Draft7Validator, Draft202012Validator

ROOT = Path(__file__).parents[3]
SPECIFICATION = json.loads(
    (Path(__file__).parent / "data/asyncapi-3.0.0.schema.json").read_text(encoding="utf-8")
)
TOPOLOGY = model.load(ROOT / "infra/topology.yaml")
DOCUMENTS = {path.parents[1].name: (path, text) for path, text in asyncapi.documents(ROOT)}


@pytest.mark.parametrize("service", DOCUMENTS)
def test_the_committed_document_is_up_to_date(service: str) -> None:
    path, text = DOCUMENTS[service]

    assert path.read_text(encoding="utf-8") == text, "run: python -m harness.contracts.asyncapi"


def test_a_stale_document_is_told_and_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("infra/topology.yaml", *(f"services/{name}/contract" for name in DOCUMENTS)):
        (tmp_path / folder).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / folder).symlink_to(ROOT / folder)
    fresh = asyncapi.main(["--check", "--root", str(tmp_path)])
    contract = tmp_path / "services/order-service/contract"
    contract.unlink()
    shutil.copytree(ROOT / "services/order-service/contract", contract)
    (contract / "asyncapi.yaml").write_text("stale")

    stale = asyncapi.main(["--check", "--root", str(tmp_path)])

    assert (fresh, stale) == (0, 1)
    assert (contract / "asyncapi.yaml").read_text() == "stale"
    assert "order-service" in capsys.readouterr().err


@pytest.mark.parametrize("service", DOCUMENTS)
def test_the_document_is_asyncapi_3(service: str) -> None:
    document = yaml.safe_load(DOCUMENTS[service][1])

    faults = [error.message for error in Draft7Validator(SPECIFICATION).iter_errors(document)]

    assert faults == []


def test_a_document_that_is_not_asyncapi_is_told_apart() -> None:
    document = yaml.safe_load(DOCUMENTS["order-service"][1])
    document["operations"]["send.order.placed"]["action"] = "shout"

    assert list(Draft7Validator(SPECIFICATION).iter_errors(document))


def test_every_published_event_has_a_schema_and_every_schema_an_event() -> None:
    published = {event for events in TOPOLOGY.topics.values() for event in events}

    assert asyncapi.schema_paths(ROOT).keys() == published


@pytest.mark.parametrize("event_type", asyncapi.schema_paths(ROOT))
def test_an_events_schema_is_a_schema_and_named_for_it(event_type: str) -> None:
    path = asyncapi.schema_paths(ROOT)[event_type]
    schema = json.loads(path.read_text(encoding="utf-8"))

    Draft202012Validator.check_schema(schema)

    assert schema["title"] == event_type
    assert schema["$id"].endswith(path.name)
    assert "additionalProperties" not in schema, "consumers accept what they do not know"


def test_an_event_without_a_schema_is_refused() -> None:
    with pytest.raises(SchemaMissing):
        asyncapi.render(TOPOLOGY, {}, "order")
