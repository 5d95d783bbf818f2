"""What keeps a simulator from starting is said with its remedy."""

import socket
from pathlib import Path

import pytest

from simulators import startup

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_this_machine_may_be_served(host: str) -> None:
    startup.require_loopback(host, allow_remote=False, danger="it is open")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "shop.example", ""])  # noqa: S104 - refused here
def test_other_machines_are_served_only_on_purpose(host: str) -> None:
    with pytest.raises(startup.StartupRefused, match=r"it is open\. .*--allow-remote"):
        startup.require_loopback(host, allow_remote=False, danger="it is open")

    startup.require_loopback(host, allow_remote=True, danger="it is open")


@pytest.mark.parametrize("option", ["--port", "--smtp-port"])
def test_a_taken_port_is_told_with_the_option_that_mends_it(option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(startup.StartupRefused, match=rf"port {port}.*{option}"):
            startup.listen("127.0.0.1", port, option=option)


def test_a_directory_that_cannot_be_made_is_told_with_its_option(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(startup.StartupRefused, match=r"Not a directory.*--data-dir"):
        startup.hold_data_dir(tmp_path / "file" / "book")


def test_one_book_has_one_holder(tmp_path: Path) -> None:
    held = startup.hold_data_dir(tmp_path)

    with pytest.raises(startup.StartupRefused, match=r"another process.*--data-dir"):
        startup.hold_data_dir(tmp_path)

    held.close()
    startup.hold_data_dir(tmp_path).close()
