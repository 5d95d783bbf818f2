"""`cartwright stock` where no shop runs; with one, `make demo` is its test."""

from pathlib import Path

import pytest
from cartwright import cli, location
from harness import stack
from simulators.checkout import stock
from typer.testing import CliRunner


def test_without_a_shop_it_says_how_to_start_one(tmp_path: Path) -> None:
    app = cli.build(["stock", "doctor"])

    answer = CliRunner().invoke(app, ["stock", "--home", str(tmp_path)])

    assert answer.exit_code == location.EXIT_NOT_RUNNING
    assert "cartwright up" in answer.output


def test_a_shop_that_is_not_where_it_was_said_to_be_is_named(tmp_path: Path) -> None:
    gone = tmp_path / "gone.json"

    answer = CliRunner().invoke(cli.build(["stock", "doctor"]), ["stock", "--shop", str(gone)])

    assert answer.exit_code == location.EXIT_NOT_RUNNING
    assert "gone.json" in answer.output.replace("\n", "")


def test_it_says_what_arrived_and_what_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "endpoints", lambda _: object())
    monkeypatch.setattr(stock, "stock_the_shop", lambda *_: (12, 1_840))

    answer = CliRunner().invoke(cli.build(["stock", "doctor"]), ["stock"])

    assert "12 products arrived, 1,840 were on the shelves already" in answer.output
