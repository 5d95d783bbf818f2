"""Following a log while it is written."""

from pathlib import Path

import pytest
from cartwright.logs import new_lines


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "order-web.log"
    path.write_text("old\n")
    return path


def append(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


def test_only_what_is_new_and_complete_is_shown(log: Path) -> None:
    positions = {"order-web": log.stat().st_size}
    append(log, "one\ntw")

    first = list(new_lines(log, positions, "order-web"))
    append(log, "o\n")
    second = list(new_lines(log, positions, "order-web"))

    assert (first, second) == (["one"], ["two"])


def test_a_log_that_was_set_aside_is_followed_from_its_new_start(log: Path) -> None:
    positions = {"order-web": log.stat().st_size}
    log.write_text("a\n")

    assert list(new_lines(log, positions, "order-web")) == ["a"]


def test_a_log_that_is_gone_has_no_new_lines(log: Path) -> None:
    positions = {"order-web": 0}
    log.unlink()

    assert list(new_lines(log, positions, "order-web")) == []
