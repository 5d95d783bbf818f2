"""`cartwright stock` where no shop runs; with one, `make demo` is its test."""

from pathlib import Path

from cartwright import cli, location
from typer.testing import CliRunner


def test_without_a_shop_it_says_how_to_start_one(tmp_path: Path) -> None:
    app = cli.build(["stock", "doctor"])

    answer = CliRunner().invoke(app, ["stock", "--home", str(tmp_path)])

    assert answer.exit_code == location.EXIT_NOT_RUNNING
    assert "cartwright up" in answer.output
