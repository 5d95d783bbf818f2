"""The processes' logs as one story: in order, narrowed down, and while they are written."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from cartwright import cli
from cartwright.logs import Wanted, for_people, last, new_lines, read
from typer.testing import CliRunner

ORDER, TRACE = "01a229e1-de73-72e1-b923-5290c3cf57ea", "c3" * 16


def told(second: int, event: str, **fields: object) -> str:
    at = datetime(2026, 1, 1, 12, 0, second, tzinfo=UTC).isoformat()
    return json.dumps({"event": event, "level": "info", **fields, "timestamp": at})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    written = {
        "order-web": [
            told(1, "request", trace_id=TRACE, route="/orders"),
            told(3, "order_placed", trace_id=TRACE, order_id=ORDER),
            told(9, "request", trace_id="d4" * 16),
        ],
        "order-worker": [told(5, "loop_failed", level="warning", exception="Traceback\n  Down")],
        "postgres": ["LOG:  starting", "LOG:  ready"],
    }
    for process, lines in written.items():
        (folder / f"{process}.log").write_text("".join(f"{line}\n" for line in lines))
    return tmp_path


def shown(home: Path, *arguments: str) -> list[str]:
    answer = CliRunner(env={"CARTWRIGHT_HOME": ""}).invoke(
        cli.build(["logs", "doctor"]), ["logs", "--home", str(home), *arguments]
    )
    assert answer.exit_code == 0, answer.output
    return answer.output.splitlines()


def events(lines: list[str]) -> list[str]:
    return [json.loads(line[line.index("{") :])["event"] for line in lines if "{" in line]


def test_an_id_that_nothing_is_about_is_told(home: Path) -> None:
    answer = CliRunner().invoke(
        cli.build(["logs", "doctor"]), ["logs", "--home", str(home), "--about", "nobody"]
    )

    assert answer.exit_code == 1
    assert answer.stdout == ""
    assert "about nobody" in answer.stderr


def test_several_logs_are_one_in_the_order_of_their_lines(home: Path) -> None:
    lines = shown(home)

    assert events(lines) == ["request", "order_placed", "loop_failed", "request"]
    assert lines[0] == f"{'postgres':20} LOG:  starting"  # It tells no time: before all others.


def test_a_service_is_its_web_and_its_worker(home: Path) -> None:
    assert events(shown(home, "order")) == ["request", "order_placed", "loop_failed", "request"]
    assert events(shown(home, "order-worker")) == ["loop_failed"]


def test_of_an_order_the_whole_trace_is_shown(home: Path) -> None:
    """Its id is known only when it was placed; what led there belongs to it."""
    assert events(shown(home, "--about", ORDER)) == ["request", "order_placed"]
    assert events(shown(home, "--about", "d4" * 16)) == ["request"]


def test_a_level_and_a_moment_narrow_it_down(home: Path) -> None:
    assert events(shown(home, "--level", "warning")) == ["loop_failed"]
    assert events(shown(home, "--since", "2026-01-01T12:00:04Z")) == ["loop_failed", "request"]
    assert shown(home, "--since", "5m") == []


def test_of_each_process_only_the_last_lines(home: Path) -> None:
    assert events(shown(home, "-n", "1")) == ["loop_failed", "request"]
    assert shown(home, "-n", "0") == []


@pytest.mark.parametrize(
    "arguments", [["nobody"], ["--level", "loud"], ["--since", "yesterday"]], ids=" ".join
)
def test_what_is_not_known_is_said_with_what_is(home: Path, arguments: list[str]) -> None:
    answer = CliRunner(env={"CARTWRIGHT_HOME": ""}).invoke(
        cli.build(["logs", "doctor"]), ["logs", "--home", str(home), *arguments]
    )

    assert answer.exit_code
    assert any(word in answer.output for word in ("order-web", "warning", "5m"))


def test_people_read_the_time_the_event_and_the_rest() -> None:
    [line] = read(
        "order-worker", [told(5, "loop_failed", loop="relay", exception="Traceback\n Down")]
    )

    text = click.unstyle(for_people(line))

    assert text.splitlines()[0].endswith("info     loop_failed  loop=relay")
    assert text.splitlines()[1:] == ["    Traceback", "     Down"]


def test_a_line_without_a_time_stays_behind_the_one_before_it() -> None:
    lines = list(read("order-web", [told(2, "first"), "Traceback", told(4, "second")]))
    others = list(read("cart-web", [told(3, "between")]))

    merged = last([lines, others], Wanted(), 9)

    assert [line.process for line in merged] == ["order-web", "order-web", "cart-web", "order-web"]


def test_whoever_reads_may_stop_reading(home: Path) -> None:
    (home / "logs" / "order-web.log").write_text(f"{told(1, 'request')}\n" * 20_000)
    command = "from cartwright import cli; cli.main()"
    with subprocess.Popen(
        [sys.executable, "-c", command, "logs", "--home", str(home), "-n", "20000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"CARTWRIGHT_HOME": ""},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        complaints = process.stderr.read()

    assert (process.returncode, complaints) == (0, b"")


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
