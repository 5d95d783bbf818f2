"""What `cartwright doctor` says about a machine."""

import json
import socket
from pathlib import Path

import psutil
import pytest
from cartwright import doctor
from cartwright.doctor import Verdict
from harness.process.home import Home

REPOSITORY = Path(__file__).parents[3]


def test_an_old_python_stops_the_start_and_names_the_remedy() -> None:
    finding = doctor.check_python((3, 10, 12))

    assert finding.verdict is Verdict.STOP
    assert "3.11" in finding.remedy


def test_a_system_without_the_kernels_promises_stops_the_start() -> None:
    assert doctor.check_system("darwin").verdict is Verdict.STOP
    assert doctor.check_system("linux").verdict is Verdict.OK


def test_the_databases_of_our_wheels_run_here() -> None:
    assert "18" in doctor.check_postgres().fact
    assert doctor.check_valkey().verdict is Verdict.OK


def test_a_program_that_does_not_run_stops_the_start(tmp_path: Path) -> None:
    broken = tmp_path / "postgres"
    broken.write_text("not a program")
    broken.chmod(0o755)

    assert doctor._runs("PostgreSQL", broken).verdict is Verdict.STOP


@pytest.mark.parametrize(("free_mb", "verdict"), [(999, Verdict.STOP), (1000, Verdict.OK)])
def test_too_little_is_told_at_the_limit(free_mb: int, verdict: Verdict) -> None:
    assert doctor._enough("disk", free_mb, 1000, "Free some.", Verdict.STOP).verdict is verdict


def test_a_taken_port_is_named_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "infra").mkdir()
    topology = (REPOSITORY / "infra" / "topology.yaml").read_text()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (tmp_path / "infra" / "topology.yaml").write_text(topology.replace("8001", str(port)))

        finding = doctor.check_ports(Home(tmp_path / "home"), tmp_path)

    assert finding.verdict is Verdict.NOTE
    assert f"auth ({port})" in finding.fact


def test_what_a_crash_left_is_found(tmp_path: Path) -> None:
    ourselves = {"pid": psutil.Process().pid, "create_time": psutil.Process().create_time()}
    (tmp_path / "state.json").write_text(json.dumps({"processes": {"order-web": ourselves}}))

    finding = doctor.check_leftovers(Home(tmp_path))

    assert "order-web" in finding.fact
    assert finding.verdict is Verdict.NOTE


def test_a_folder_that_cannot_be_written_stops_the_start() -> None:
    finding = doctor.check_disk(Home(Path("/proc/nowhere")))

    assert finding.verdict is Verdict.STOP


def test_a_user_without_an_account_cannot_run_postgresql() -> None:
    finding = doctor.check_account(user_id=2**31 - 1)

    assert finding.verdict is Verdict.STOP
    assert "/etc/passwd" in finding.remedy


def test_a_cache_that_uv_cannot_write_stops_the_start_until_the_emulator_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", "/dev/null/uv")

    finding = doctor.check_emulator(Home(tmp_path))

    assert finding.verdict is Verdict.STOP
    assert "UV_CACHE_DIR" in finding.remedy
