"""Makes processes and tells when they end: its own, and the fork server's. Restarts none."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.process.parent_death import die_with_parent
from harness.process.spec import Kind, ProcessSpec

FORK_SERVER = "fork-server"
# A fork takes 10 ms; a machine that needs this long is swapping.
FORK_WITHIN_S = 30.0

OnExit = Callable[[str, int, int], None]  # name, pid, exit code (negative: the signal)


class _ForkServerDied(Exception):
    """It cannot fork any more, and the children it had died with it."""


class Spawner:
    """on_exit: called once for every process that ended, whoever ended it.

    base_env: what every process sees. Use from one thread only: children die with the thread
    that made them (prctl(2)).
    """

    def __init__(
        self, *, base_env: Mapping[str, str], cwd: Path, log_file: Callable[[str], Path],
        on_exit: OnExit,
    ) -> None:  # fmt: skip
        self._base_env = dict(base_env)
        self._cwd = cwd
        self._log_file = log_file
        self._on_exit = on_exit
        self._own: dict[int, str] = {}
        self._forked: dict[int, str] = {}
        self._channel: socket.socket | None = None
        self._listener: asyncio.Task[None] | None = None
        self._warm = asyncio.Event()
        self._one_writer = asyncio.Lock()
        self._births: dict[int, asyncio.Future[int]] = {}
        self._birth_numbers = itertools.count(1)
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap)

    async def start(self, spec: ProcessSpec) -> int:
        """The pid of a new process. Raises `OSError` if it cannot be made.

        What is forked waits for a fork server that is warm, and for the next one if that one dies.
        """
        if spec.kind is Kind.EXEC:
            return self._exec(spec)
        return await self._fork(spec)

    def fork_server_spec(self, layer: int) -> ProcessSpec:
        """For whoever supervises it; it is started by `start_fork_server`."""

        async def is_warm(_pid: int) -> bool:
            return self._warm.is_set()

        return ProcessSpec(name=FORK_SERVER, kind=Kind.EXEC, argv=[], probe=is_warm, layer=layer)

    def start_fork_server(self) -> int:
        """Its imports take a second; what needs it waits in `start`. Call again when it died."""
        ours, its = socket.socketpair()
        ours.setblocking(False)  # noqa: FBT003  The standard library's signature.
        with its:
            spec = ProcessSpec(
                name=FORK_SERVER,
                kind=Kind.EXEC,
                argv=[
                    *(sys.executable, "-m", "harness.process.fork_server"),
                    *("--socket", str(its.fileno()), "--parent", str(os.getpid())),
                ],
            )
            pid = self._exec(spec, pass_fds=(its.fileno(),))
        self._channel = ours
        self._listener = asyncio.create_task(self._listen(ours))
        return pid

    def _exec(self, spec: ProcessSpec, pass_fds: tuple[int, ...] = ()) -> int:
        parent = os.getpid()

        def prepare() -> None:
            if spec.account:
                spec.account.become()
            die_with_parent(parent, spec.death_signal)

        with _open_log(self._log_file(spec.name)) as log:
            # The supervisor has one thread, so code between fork and exec is safe.
            process = subprocess.Popen(  # noqa: S603  Our own programs and arguments.
                list(spec.argv),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._base_env | dict(spec.env),
                cwd="/" if spec.account else self._cwd,
                start_new_session=True,
                pass_fds=pass_fds,
                preexec_fn=prepare,
            )
        # We reap it ourselves; Popen would complain that nobody asked it.
        process.returncode = 0
        self._own[process.pid] = spec.name
        return process.pid

    async def _fork(self, spec: ProcessSpec) -> int:
        birth = next(self._birth_numbers)
        request = {
            "birth": birth,
            "name": spec.name,
            "kind": spec.kind,
            "argv": list(spec.argv),
            "env": self._base_env | dict(spec.env),
            "log": str(self._log_file(spec.name)),
            "cwd": str(self._cwd),
        }
        while True:
            await self._warm.wait()
            try:
                return await self._ask_fork_server(birth, json.dumps(request).encode() + b"\n")
            except _ForkServerDied:
                continue

    async def _ask_fork_server(self, birth: int, line: bytes) -> int:
        if self._channel is None:
            raise _ForkServerDied
        loop = asyncio.get_running_loop()
        born: asyncio.Future[int] = loop.create_future()
        self._births[birth] = born
        try:
            async with self._one_writer:
                await loop.sock_sendall(self._channel, line)
        except (BrokenPipeError, ConnectionResetError):
            self._warm.clear()
            raise _ForkServerDied from None
        async with asyncio.timeout(FORK_WITHIN_S):
            return await born

    async def _listen(self, channel: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        buffer = b""
        with channel, contextlib.suppress(ConnectionError):
            while received := await loop.sock_recv(channel, 65_536):
                *lines, buffer = (buffer + received).split(b"\n")
                for line in lines:
                    self._hear(json.loads(line))
        self._lose_fork_server(channel)

    def _hear(self, message: dict[str, Any]) -> None:
        match message["event"]:
            case "ready":
                self._warm.set()
            case "started":
                self._forked[message["pid"]] = message["name"]
                born = self._births.pop(message["birth"])
                if born.done():  # Nobody waits for it any more.
                    os.kill(message["pid"], signal.SIGKILL)
                else:
                    born.set_result(message["pid"])
            case "exited":
                self._forked.pop(message["pid"])
                # Soon, not now: whoever waits for the birth has to hear of that first.
                told = (message["name"], message["pid"], message["code"])
                asyncio.get_running_loop().call_soon(self._on_exit, *told)

    def _lose_fork_server(self, channel: socket.socket) -> None:
        """The kernel kills its children with it; nobody is left to tell us how they ended."""
        if self._channel is channel:
            self._channel = None
            self._warm.clear()
        forked, self._forked = self._forked, {}
        for pid, name in forked.items():
            self._on_exit(name, pid, -signal.SIGKILL)
        births, self._births = self._births, {}
        for born in births.values():
            if not born.done():
                born.set_exception(_ForkServerDied())

    def _reap(self) -> None:
        for pid in list(self._own):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                name = self._own.pop(pid)
                self._on_exit(name, pid, os.waitstatus_to_exitcode(status))


def _open_log(path: Path) -> Any:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
