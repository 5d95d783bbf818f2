"""The folder of a stack: state, secrets, lock, logs."""

import stat
from pathlib import Path

import pytest
from harness.process.home import LOG_BYTES_MAX, Home, HomeInUse


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


def test_state_is_read_as_it_was_written_and_is_nobody_elses(home: Home) -> None:
    home.write_state({"status": "running"})

    assert home.read_state() == {"status": "running"}
    assert stat.S_IMODE(home.state_file.stat().st_mode) == 0o600


def test_a_home_where_nothing_ran_has_no_state(home: Home) -> None:
    assert home.read_state() is None


def test_secrets_are_made_once_and_differ(home: Home) -> None:
    first = home.secrets(["jwt", "postgres"])

    again = home.secrets(["jwt", "postgres", "another"])

    assert again["jwt"] == first["jwt"] != first["postgres"]
    assert len(set(again.values())) == 3
    assert len(bytes.fromhex(again["jwt"])) == 32
    assert stat.S_IMODE((home.path / "secrets.json").stat().st_mode) == 0o600


def test_the_secrets_that_are_kept_can_be_told_without_their_names(home: Home) -> None:
    before = home.kept_secrets()

    made = home.secrets(["jwt", "postgres"])

    assert before == frozenset()
    assert home.kept_secrets() == set(made.values())


def test_a_home_has_one_holder_at_a_time(home: Home) -> None:
    with home.locked():
        assert home.is_locked()
        with pytest.raises(HomeInUse), home.locked():
            pass

    assert not home.is_locked()


def test_a_large_log_is_set_aside_at_the_next_start(home: Home) -> None:
    log = home.log_file("order-web")
    log.write_bytes(b"x" * (LOG_BYTES_MAX + 1))

    home.rotate_log("order-web")

    assert not log.exists()
    assert log.with_suffix(".log.1").stat().st_size == LOG_BYTES_MAX + 1


def test_a_small_log_goes_on(home: Home) -> None:
    home.log_file("order-web").write_text("one\ntwo\nthree\n")

    home.rotate_log("order-web")

    assert home.log_tail("order-web", lines=2) == ["two", "three"]
