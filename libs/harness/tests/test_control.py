"""Whoever asks a supervisor gets an answer or hears why not, however busy or broken it is."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness.process import control
from harness.process.failure import GivenUp
from harness.process.home import Home
from harness.process.spec import Kind, ProcessSpec
from harness.process.supervision import Supervisor
from sockets_for_tests import soon

SOON_S, AT_ONCE_S = 10.0, 0.05


@contextmanager
def listening(home: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as server:
        with control.control_address(home) as address:
            server.bind(address)
        server.listen()
        yield server


def test_a_supervisor_that_does_not_answer_has_refused(tmp_path: Path) -> None:
    with listening(tmp_path), pytest.raises(control.ControlRefused, match="TimeoutError"):
        control.restart(tmp_path, "order-worker", within_s=AT_ONCE_S)


@pytest.mark.parametrize("said", [b"", b"{", b"what?\n"], ids=["nothing", "half", "no JSON"])
def test_a_supervisor_that_hangs_up_has_refused(tmp_path: Path, said: bytes) -> None:
    with listening(tmp_path) as server:

        def answer() -> None:
            channel, _ = server.accept()
            with channel:
                channel.recv(100)
                channel.sendall(said)

        answering = threading.Thread(target=answer)
        answering.start()
        with pytest.raises(control.ControlRefused, match="no answer to stop order-worker"):
            control.restart(tmp_path, "order-worker", within_s=SOON_S)
        answering.join()


def test_where_nobody_lives_nobody_can_be_asked(tmp_path: Path) -> None:
    with pytest.raises(control.ControlRefused, match="no supervisor runs in"):
        control.restart(tmp_path, "order-worker")


def test_nobody_waits_for_a_process_that_was_given_up(tmp_path: Path) -> None:
    async def steps() -> None:
        home = Home(tmp_path)
        home.create()
        supervisor = Supervisor(home, {}, tmp_path)
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # It says so as well.
        await supervisor.start(ProcessSpec("broken", Kind.EXEC, [str(tmp_path / "no-program")]))

        for _ in range(2):
            with pytest.raises(GivenUp, match="broken does not start"):
                await supervisor.resume("broken")

    soon(steps())
