"""Which port a process gets."""

import socket
import subprocess
import sys

import pytest
from harness.process import ports
from harness.process.ports import FREE_PORTS, HOST, NoFreePort, choose, is_free, reserve


def test_the_usual_ports_are_taken_when_they_are_free() -> None:
    assert choose({"auth": 8001}, {}, free=lambda _: True) == {"auth": 8001}


def test_last_times_port_is_the_second_choice() -> None:
    chosen = choose({"auth": 8001}, {"auth": 25_000}, free=lambda port: port != 8001)

    assert chosen == {"auth": 25_000}


def test_a_port_in_use_is_replaced_by_a_free_one() -> None:
    chosen = choose({"auth": 8001}, {}, free=lambda port: port != 8001)

    assert chosen["auth"] in FREE_PORTS


def test_nobody_gets_a_port_that_is_usual_for_another() -> None:
    chosen = choose({"auth": 8001, "cart": 8002}, {"auth": 8002}, free=lambda port: port != 8001)

    assert chosen["cart"] == 8002
    assert chosen["auth"] != 8002


def test_ephemeral_ports_avoid_the_usual_ones_and_keep_last_times() -> None:
    assert choose({"auth": 25_001}, {}, ephemeral=True) != {"auth": 25_001}
    assert choose({"auth": 8001}, {"auth": 25_002}, ephemeral=True, free=lambda _: True) == {
        "auth": 25_002
    }


def test_a_machine_without_free_ports_is_told() -> None:
    with pytest.raises(NoFreePort, match="auth"):
        choose({"auth": 8001}, {}, free=lambda _: False)


def test_a_port_is_free_until_somebody_listens_on_it() -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]

        assert not is_free(port)

    assert is_free(port)


def test_a_listener_on_all_addresses_also_takes_the_port() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:  # noqa: S104  That is the case at hand.
        assert not ports.is_free(server.getsockname()[1])


HOLD_A_PORT = """
import sys
from harness.process.ports import reserve
print(reserve(int(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def test_a_port_that_another_stack_has_chosen_is_taken_before_it_is_bound() -> None:
    """Else ours would find its servers there while its own do not listen yet."""
    port = choose({"faults": 0}, {}, ephemeral=True, free=is_free)["faults"]
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_A_PORT, str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"

        assert is_free(port)
        assert not reserve(port)
        assert choose({"faults": port}, {})["faults"] != port

        other.communicate("")
    assert reserve(port), "what it held went with it"


def test_a_port_is_reserved_once_and_only_if_nobody_listens() -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]

        assert not reserve(port)

    assert reserve(port)
    assert not reserve(port)
