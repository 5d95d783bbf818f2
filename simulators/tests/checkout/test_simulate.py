"""What a run's end is told by, and who may run: nothing is started here."""

import errno
import io
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cartwright import cli
from harness.audit.books import BooksUnread
from rich.console import Console
from simulators.checkout import command
from simulators.checkout.exits import EXIT_GATE_NOT_MET, EXIT_NOT_JUDGED, exit_code
from simulators.checkout.gate import Check, Judgement
from simulators.checkout.results import Result
from simulators.checkout.run import ShopNotAtRest
from simulators.checkout.weather.registry import KINDS
from typer.testing import CliRunner

HOLD_THE_RUN = """
import sys
from pathlib import Path
from harness.process.home import Home
with Home(Path(sys.argv[1])).sole_run():
    print("held", flush=True)
    sys.stdin.read()
"""


MISSED = Judgement([Check("unknown_max", 0, 1, is_met=False)], ())


def ended(**facts: bool) -> Result:
    return cast(Result, SimpleNamespace(**{"interrupted": False, "is_judged": True} | facts))


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (ended(holds=True), 0),
        (ended(holds=False), 2),
        (ended(holds=False, is_judged=False), 3),
        (ended(holds=True, interrupted=True), 130),
        (ended(holds=False, interrupted=True), 2),
    ],
    ids=["holds", "broken", "not judged", "interrupted, holds", "interrupted, broken"],
)
def test_the_exit_code_tells_how_it_ended(result: Result, code: int) -> None:
    assert exit_code(result) == code


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (ended(holds=True), EXIT_GATE_NOT_MET),
        (ended(holds=False), 2),
        (ended(holds=False, is_judged=False), 3),
        (ended(holds=True, interrupted=True), 130),
    ],
    ids=["holds", "broken", "not judged", "interrupted"],
)
def test_a_gate_that_is_not_met_ends_only_a_run_that_holds(result: Result, code: int) -> None:
    assert exit_code(result, MISSED) == code
    assert exit_code(ended(holds=True), Judgement((), ())) == 0


def test_a_second_run_on_the_same_shop_is_refused_and_told_by_whom(tmp_path: Path) -> None:
    arguments: list[Any] = [sys.executable, "-c", HOLD_THE_RUN, str(tmp_path)]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"

        answer = CliRunner().invoke(
            cli.build(["simulate", "doctor"]),
            ["simulate", "--home", str(tmp_path), "--report-dir", str(tmp_path / "report")],
        )
        first.communicate("")

    assert answer.exit_code == EXIT_NOT_JUDGED
    assert f"process {first.pid}" in " ".join(answer.output.split())


def test_a_home_that_cannot_be_made_is_named_and_nothing_is_judged(tmp_path: Path) -> None:
    file = tmp_path / "file"  # What not even root may make a folder in.
    file.touch()

    answer = simulated("--home", str(file / "home"), "--report-dir", str(tmp_path))

    assert answer.exit_code == EXIT_NOT_JUDGED
    assert f"{file} is not writable" in answer.output


def test_a_report_that_cannot_be_written_is_told_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    answer = simulated("--home", str(tmp_path), "--report-dir", str(tmp_path / "file" / "report"))

    assert answer.exit_code == EXIT_NOT_JUDGED
    assert "--report-dir" in answer.output


def test_a_shop_that_cannot_start_is_told_with_the_fix_and_nothing_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV", str(tmp_path / "no-uv"))

    answer = simulated("--home", str(tmp_path / "home"), "--report-dir", str(tmp_path))

    assert answer.exit_code == EXIT_NOT_JUDGED
    assert isinstance(answer.exception, SystemExit)
    assert "Install it: https://docs.astral.sh/uv/" in answer.output


@pytest.mark.parametrize(
    "reason",
    [
        BooksUnread("the mailbox could not be read: ConnectError: refused"),
        ShopNotAtRest("the stock of 1 goods does not add up already: SKU MUG-1"),
    ],
    ids=["books closed", "wrong before"],
)
def test_what_cannot_be_judged_ends_the_run_with_the_reason(
    reason: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise reason

    shop = SimpleNamespace(otlp_url="http://127.0.0.1:9", faults_url="", home="/here")
    monkeypatch.setattr(command, "_shop", lambda *_, **__: nullcontext(shop))
    monkeypatch.setattr(command, "trace_to", lambda *_, **__: None)
    monkeypatch.setattr(command, "run", refuse)

    answer = simulated("--home", str(tmp_path / "home"), "--report-dir", str(tmp_path))

    assert answer.exit_code == EXIT_NOT_JUDGED
    assert str(reason) in answer.output
    assert (str(tmp_path) if isinstance(reason, BooksUnread) else "--wipe") in answer.output


def simulated(*options: str) -> Any:
    return CliRunner().invoke(cli.build(["simulate", "doctor"]), ["simulate", *options])


@pytest.fixture
def handlers() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_who_closes_the_terminal_stops_the_run_in_good_order(number: signal.Signals) -> None:
    class Closed(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(errno.EIO, "the terminal is gone")

    signal.signal(signal.SIGHUP, lambda *_: None)
    stop = command._stop_on_interrupt(Console(file=Closed()))

    signal.raise_signal(number)

    assert stop.is_set()


@pytest.mark.usefixtures("handlers")
def test_what_is_to_outlive_its_terminal_does() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup.

    stop = command._stop_on_interrupt(Console(file=io.StringIO()))
    signal.raise_signal(signal.SIGHUP)

    assert not stop.is_set()


def test_the_faults_are_listed_without_a_shop() -> None:
    answer = simulated("--list-faults")

    assert answer.exit_code == 0
    for name in KINDS:
        assert name in answer.output


def test_a_file_that_is_no_weather_is_told_before_anything_starts(tmp_path: Path) -> None:
    file = tmp_path / "squall.yaml"
    file.write_text("name: squall\nfaults: [{kind: thunder, at: 0.1}]")

    answer = simulated(
        *("--weather", str(file), "--home", str(tmp_path / "home")),
        *("--report-dir", str(tmp_path / "report")),
    )

    assert answer.exit_code == EXIT_NOT_JUDGED
    assert "no fault is called 'thunder'" in answer.output
    assert not (tmp_path / "home").exists()
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ((), 0, "Weather: calm, no faults: this shop runs without the proxies"),
        (("--weather", "calm"), 0, "Weather: calm, no faults\n"),
        (("--weather", "stormy"), EXIT_NOT_JUDGED, "No such weather: this shop runs without"),
    ],
    ids=["nothing asked for", "calm", "stormy"],
)
def test_a_running_shop_without_proxies_is_calm_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], code: int, said: str
) -> None:
    shop = SimpleNamespace(otlp_url="http://127.0.0.1:9", faults_url="", home="/here")
    monkeypatch.setattr(command, "_shop", lambda *_, **__: nullcontext(shop))
    monkeypatch.setattr(command, "trace_to", lambda *_, **__: None)
    monkeypatch.setattr(command, "run", lambda *_, **__: ended(holds=True))
    monkeypatch.setattr(command.report, "write", lambda *_: tmp_path)
    monkeypatch.setattr(command, "print_result", lambda *_, **__: None)
    monkeypatch.setattr(command.job_summary, "markdown", lambda *_: "")

    answer = simulated(
        "--home", str(tmp_path / "home"), "--report-dir", str(tmp_path / "report"), *options
    )

    assert (answer.exit_code, said in answer.output) == (code, True), answer.output


@pytest.mark.parametrize(
    ("option", "name", "said"),
    [
        ("--gate", "gate.yaml", "gate.yaml: placing: nothing is called so; there are baseline"),
        ("--gate", "gone.yaml", "gone.yaml: [Errno 2] No such file"),
        ("--compare", ".", "result.json: [Errno 2] No such file"),
    ],
)
def test_a_gate_or_an_earlier_run_that_is_none_is_told_before_anything_starts(
    tmp_path: Path, option: str, name: str, said: str
) -> None:
    (tmp_path / "gate.yaml").write_text("placing: 100")

    answer = simulated(
        *(option, str(tmp_path / name), "--home", str(tmp_path / "home")),
        *("--report-dir", str(tmp_path / "report")),
    )

    assert answer.exit_code == EXIT_NOT_JUDGED
    assert f"This file cannot be used: {tmp_path}" in answer.output
    assert said in answer.output
    assert not (tmp_path / "home").exists()
    assert not (tmp_path / "report").exists()
