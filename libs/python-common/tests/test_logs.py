"""What lands in a log, and what does not: a reader of logs learns nobody's data or secrets."""

import json
import logging
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
import structlog
from common import logs
from common.db import Database
from common.events import MalformedEvent, parse
from pydantic import BaseModel

SECRET = "ana.canary@shoppers.example"


class Person(BaseModel):
    age: int


@pytest.fixture
def log() -> Iterator[structlog.stdlib.BoundLogger]:
    """As a service has it."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    logs.install("web")
    yield structlog.get_logger()
    root.handlers[:] = handlers
    root.setLevel(level)


def written(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    text = capsys.readouterr().out
    assert SECRET not in text
    line: dict[str, str] = json.loads(text)
    return line


def test_a_refused_input_is_not_quoted(
    log: structlog.stdlib.BoundLogger, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        Person.model_validate({"age": SECRET})
    except ValueError:
        log.exception("it_happened")

    line = written(capsys)

    assert "unable to parse string as an integer" in line["exception"]
    assert "input_value=[hidden], input_type=str" in line["exception"]


def test_a_malformed_event_is_not_quoted_by_what_caused_it(
    log: structlog.stdlib.BoundLogger, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        parse(f'{{"id": "{SECRET}", "type": "order.placed"}}')
    except MalformedEvent as error:
        log.error("message_dead_lettered", exc_info=error)

    assert "MalformedEvent" in written(capsys)["exception"]


def insert(db: Database, name: str) -> None:
    with db.transaction() as tx:
        tx.execute(sa.text("CREATE TEMPORARY TABLE people (name text CHECK (name = 'Ana'))"))
        tx.execute(sa.text("INSERT INTO people VALUES (:name)"), {"name": name})


@pytest.mark.parametrize("value", [SECRET, f"two\nlines, {SECRET}"], ids=["a line", "two lines"])
def test_neither_a_statements_values_nor_the_row_are_quoted(
    log: structlog.stdlib.BoundLogger, capsys: pytest.CaptureFixture[str], db: Database, value: str
) -> None:
    with pytest.raises(sa.exc.IntegrityError) as raised:
        insert(db, value)
    log.error("unhandled_exception", exc_info=raised.value)

    line = written(capsys)

    assert "violates check constraint" in line["exception"]
    assert "INSERT INTO people" in line["exception"]


def test_a_field_that_is_a_secret_is_redacted(
    log: structlog.stdlib.BoundLogger, capsys: pytest.CaptureFixture[str]
) -> None:
    log.info("signed_in", **dict.fromkeys(logs.SECRET_FIELDS, SECRET))

    assert {
        written_ for name, written_ in written(capsys).items() if name in logs.SECRET_FIELDS
    } == {"[redacted]"}


@pytest.mark.parametrize(
    "value", ["a\nb", 'a"}\n{"event": "forged"', "a\r\nSet-Cookie: b", "\x1b[2J"]
)
def test_nobody_writes_a_line_of_their_own(
    log: structlog.stdlib.BoundLogger, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    log.info("asked", name=value)

    lines = capsys.readouterr().out.splitlines()

    assert [json.loads(line)["name"] for line in lines] == [value]


def test_a_logger_that_was_used_follows_when_logs_are_installed_again(
    log: structlog.stdlib.BoundLogger, capsys: pytest.CaptureFixture[str]
) -> None:
    log.info("first")
    logs.install("worker")

    log.info("second")

    roles = [json.loads(line)["role"] for line in capsys.readouterr().out.splitlines()]
    assert roles == ["web", "worker"]
