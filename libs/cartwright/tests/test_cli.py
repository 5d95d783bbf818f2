"""The command as a person types it, where nothing runs."""

import json
import os
from importlib import metadata
from pathlib import Path

import psutil
import pytest
from cartwright import cli, status
from cartwright.location import EXIT_NOT_RUNNING
from harness.process import surroundings
from harness.process.home import Home
from harness.providers.local import LocalProvider
from typer.testing import CliRunner

NOTHING_RUNS = {"CARTWRIGHT_HOME": ""}


def run(home: Path, *arguments: str) -> tuple[int, str]:
    command, *rest = arguments
    answer = CliRunner(env=NOTHING_RUNS).invoke(
        cli.build([command, "doctor"]), [command, "--home", str(home), *rest]
    )
    return answer.exit_code, answer.output


def test_the_status_of_nothing_is_stopped(tmp_path: Path) -> None:
    code, output = run(tmp_path, "status", "--json")

    assert code == EXIT_NOT_RUNNING
    assert json.loads(output)["status"] == "stopped"


def test_the_version_is_told() -> None:
    answer = CliRunner().invoke(cli.build(["up", "down"]), ["--version"])

    assert (answer.exit_code, answer.output) == (
        0,
        f"cartwright {metadata.version('cartwright')}\n",
    )


def test_a_service_that_is_none_is_not_started(tmp_path: Path) -> None:
    code, output = run(tmp_path, "up", "--only", "ordr")

    assert code == 2
    assert "there are auth, cart, catalog" in output
    assert list(tmp_path.iterdir()) == []


def test_stopping_nothing_is_no_mistake(tmp_path: Path) -> None:
    assert run(tmp_path, "down") == (0, "Nothing was running.\n")


def test_nothing_is_wiped_under_a_shop_that_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started again in another shell, after this one had stopped it."""
    (tmp_path / "postgres").mkdir()
    monkeypatch.setattr(LocalProvider, "stop", lambda _: None)

    with Home(tmp_path).locked():
        code, output = run(tmp_path, "down", "--wipe")

    assert code == 1
    assert "Nothing was deleted" in output
    assert (tmp_path / "postgres").exists()


def test_wiping_deletes_data_and_keeps_what_is_only_slow_to_make(tmp_path: Path) -> None:
    for folder in ("postgres", "emulator", "logs", "emulator-env"):
        (tmp_path / folder).mkdir()
    (tmp_path / "secrets.json").write_text("{}")

    code, _ = run(tmp_path, "down", "--wipe")

    assert code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["emulator-env", "lock"]


def test_an_unknown_log_is_refused_with_those_that_exist(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "order-web.log").write_text("one\n")

    code, output = run(tmp_path, "logs", "nobody")

    assert code == 1
    assert "order-web" in output


@pytest.mark.parametrize(("arguments", "shown"), [([], "order-web            two\n")])
def test_the_last_lines_of_all_logs_carry_their_names(
    tmp_path: Path, arguments: list[str], shown: str
) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "order-web.log").write_text("one\ntwo\n")

    assert run(tmp_path, "logs", "-n", "1", *arguments) == (0, shown)


def test_a_status_whose_supervisor_was_killed_is_stopped_and_lists_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    gone = {"pid": 2**22 + 1, "create_time": 1.0}
    home.write_state({**running_state(), "supervisor": gone})

    report = status.collect(home)

    assert (report["status"], report["processes"]) == ("stopped", [])


def test_a_process_is_listed_with_what_it_costs(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.write_state(running_state())

    supervisor, order = status.collect(home)["processes"]

    assert (order["process"], order["restarts"], order["port"]) == ("order-web", 2, 8005)
    assert order["cpu_s"] is None, "it waits to be restarted, so it costs nothing"
    assert supervisor["pss_mb"] > 1


def test_the_command_leaves_the_shells_settings_before_anything_reads_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.argv", ["cartwright", "status", "--help"])
    for name in ("HTTP_PROXY", "PGSERVICE", surroundings.NETWORK_VARIABLE):
        monkeypatch.setenv(name, "{}")

    with pytest.raises(SystemExit):
        cli.main()

    assert not {"HTTP_PROXY", "PGSERVICE"} & set(os.environ)


def running_state() -> dict[str, object]:
    """With this very process as the supervisor: the one we know to be alive."""
    ourselves = {"pid": os.getpid(), "create_time": psutil.Process().create_time()}
    order = {"pid": 0, "create_time": 0.0, "state": "restarting", "restarts": 2, "port": 8005}
    return {
        "status": "running",
        "supervisor": ourselves,
        "started_at": "2026-01-01T00:00:00+00:00",
        "start_s": 3.2,
        "processes": {"order-web": order},
        "notes": [],
        "failure": None,
    }
