"""What two parsers could read differently is refused, whoever asks."""

import dataclasses
import time

import pytest
from common import bodies
from common.bodies import JsonExpected, MalformedJson
from flask import Flask
from pydantic import BaseModel, ValidationError


class Line(BaseModel):
    sku: str
    quantity: int = 1


@dataclasses.dataclass(frozen=True)
class Answer:
    sku: str


def read(body: bytes, **headers: str) -> Line:
    headers = {"Content-Type": "application/json"} | headers
    with Flask("probe").test_request_context("/", method="POST", data=body, headers=headers):
        return bodies.read(Line)


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def test_a_body_of_the_model_is_read() -> None:
    assert read('{"sku": "Krügerl", "quantity": 2}'.encode()) == Line(sku="Krügerl", quantity=2)


def test_a_body_of_another_form_names_the_place() -> None:
    with pytest.raises(ValidationError):
        read(b'{"quantity": 2}')


@pytest.mark.parametrize("media_type", ["text/plain", "application/xml", ""])
def test_only_json_is_taken(media_type: str) -> None:
    with pytest.raises(JsonExpected):
        read(b'{"sku": "MUG-1"}', **{"Content-Type": media_type})


def test_json_may_name_its_charset() -> None:
    content_type = "application/json; charset=utf-8"

    assert read(b'{"sku": "MUG-1"}', **{"Content-Type": content_type}).sku == "MUG-1"


def test_a_compressed_body_is_refused() -> None:
    with pytest.raises(JsonExpected):
        read(b'{"sku": "MUG-1"}', **{"Content-Encoding": "gzip"})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"sku": "a", "sku": "b"}',
        b'{"sku": "a", "x": {"y": 1, "y": 2}}',
        b'{"sku": "a", "quantity": NaN}',
        b'{"sku": "a", "quantity": -Infinity}',
        b'{"sku": "\\ud800"}',
        b'{"sku": "a\\u0000b"}',
        b'{"sku": "a\\\\\\u0000b"}',
        b'{"sku": "a\x00b"}',
        b'{"sku": "\xff"}',
        b'\xef\xbb\xbf{"sku": "a"}',
        b"1" * 5000,
        nested(33),
        nested(100_000),
        b'{"a":' * 33 + b"1" + b"}" * 33,
    ],
    ids=lambda body: f"{len(body)} bytes: {body[:24]!r}",
)
def test_ambiguous_or_broken_json_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedJson):
        bodies.check(body)


@pytest.mark.parametrize(
    "body",
    [
        nested(32),
        b'{"sku": "' + b"[" * 100 + b'"}',
        b'{"sku": "\\"' + b"{" * 100 + b'"}',
        b"[" + b"{}," * 500 + b"{}]",
        b'{"sku": "\\ud83d\\ude00"}',
        b'{"sku": "the six characters \\\\u0000"}',
    ],
    ids=lambda body: f"{len(body)} bytes: {body[:24]!r}",
)
def test_wide_or_escaped_json_is_not_mistaken_for_deep_json(body: bytes) -> None:
    bodies.check(body)


def test_a_string_that_never_ends_costs_no_more_than_any_other() -> None:
    """It did: seconds for a body of this size, in which the process answered nobody."""
    body = b"[]" * 33 + b'"' + b'\\"' * 40_000
    began = time.process_time()

    with pytest.raises(MalformedJson):
        bodies.check(body)

    assert time.process_time() - began < 2.0


def test_a_refusal_never_repeats_the_body() -> None:
    with pytest.raises(MalformedJson) as refused:
        bodies.check(b'{"password": "hunter2", "password": "x"}')

    assert "hunter2" not in refused.value.detail
    assert "password" not in refused.value.detail


def test_an_answer_is_json_of_a_model_a_dataclass_or_a_dict() -> None:
    answers = [bodies.answer(body) for body in (Line(sku="a"), Answer("a"), {"sku": "a"})]

    assert [answer.get_json()["sku"] for answer in answers] == ["a", "a", "a"]
    assert {answer.content_type for answer in answers} == {"application/json"}


def test_an_answer_carries_its_status_and_headers() -> None:
    answer = bodies.answer({}, 201, {"Location": "/carts/1"})

    assert answer.status_code == 201
    assert answer.headers["Location"] == "/carts/1"


class Asked(BaseModel):
    limit: int = 20


def test_a_query_is_read() -> None:
    with Flask("probe").test_request_context("/?limit=5"):
        assert bodies.read_query(Asked) == Asked(limit=5)


def test_a_parameter_given_twice_is_named_and_refused() -> None:
    context = Flask("probe").test_request_context("/?limit=5&limit=6&other=7")
    with context, pytest.raises(ValidationError) as refused:
        bodies.read_query(Asked)

    assert [fault["loc"] for fault in refused.value.errors()] == [("limit",)]
