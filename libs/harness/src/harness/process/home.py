"""The folder a stack keeps its state in: paths, secrets, and who is running there. No processes."""

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOME_VARIABLE = "CARTWRIGHT_HOME"
# 256 bits, the least that RFC 7518 §3.2 allows for HS256.
SECRET_BYTES = 32
# Logs larger than this are set aside when their process is started by a new supervisor.
LOG_BYTES_MAX = 5 * 1024 * 1024


class HomeInUse(RuntimeError):
    """Another supervisor holds the lock of this home."""


class RunUnderWay(RuntimeError):
    """Another run sends its shoppers through the shop of this home."""


@dataclass(frozen=True)
class Home:
    """`<repository>/.cartwright` unless the environment or the command line says otherwise."""

    path: Path

    @classmethod
    def default(cls, repo_root: Path) -> "Home":
        chosen = os.environ.get(HOME_VARIABLE)
        return cls(Path(chosen).resolve() if chosen else repo_root / ".cartwright")

    def create(self) -> None:
        """Others may pass through, because PostgreSQL refuses to be root; they may not list."""
        self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
        (self.path / "logs").mkdir(mode=0o700, exist_ok=True)

    @property
    def state_file(self) -> Path:
        return self.path / "state.json"

    @property
    def restarts_file(self) -> Path:
        return self.path / "restarts.jsonl"

    @property
    def publishes_file(self) -> Path:
        return self.path / "publishes.jsonl"

    def log_file(self, process: str) -> Path:
        return self.path / "logs" / f"{process}.log"

    def read_state(self) -> dict[str, Any] | None:
        """None if nothing ever ran here."""
        return _read_object(self.state_file)

    def write_state(self, state: Mapping[str, Any]) -> None:
        """Replaces the file at once: whoever reads gets the old state or the new one."""
        _replace(self.state_file, state)

    def read_ports(self) -> dict[str, int]:
        return _read_object(self.path / "ports.json") or {}

    def write_ports(self, ports: Mapping[str, int]) -> None:
        _replace(self.path / "ports.json", ports)

    def secrets(self, names: list[str]) -> dict[str, str]:
        """One random secret for each of *names*, made once and kept."""
        path = self.path / "secrets.json"
        kept = _read_object(path) or {}
        missing = [name for name in names if name not in kept]
        if missing:
            kept |= {name: secrets.token_hex(SECRET_BYTES) for name in missing}
            _replace(path, kept)
        return {name: str(kept[name]) for name in names}

    def kept_secrets(self) -> frozenset[str]:
        """All that were made so far, whatever for; none if nothing ever ran here."""
        kept = _read_object(self.path / "secrets.json") or {}
        return frozenset(str(secret) for secret in kept.values())

    @contextmanager
    def locked(self, *, within_s: float = 0.0) -> Iterator[None]:
        """Hold this home for as long as the block runs. The kernel lets go when we die.

        within_s: whoever only looks whether it is held, holds it for a moment.
        Raises `HomeInUse` if another process holds it.
        """
        give_up_at = time.monotonic() + within_s
        with (self.path / "lock").open("w") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= give_up_at:
                        raise HomeInUse(f"{self.path} is in use") from None
                time.sleep(0.01)
            yield

    @contextmanager
    def sole_run(self) -> Iterator[None]:
        """Be the only one who sends shoppers here and judges the books afterwards.

        Two at once would judge each other's orders. The kernel lets go when we die. Raises
        `RunUnderWay`, which names the other one.
        """
        self.create()
        with (self.path / "run.lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise RunUnderWay(
                    f"process {lock.read().strip() or '?'} sends its shoppers through the shop of"
                    f" {self.path}: wait for it, or use another home (--home DIR)"
                ) from None
            lock.truncate(0)
            lock.write(f"{os.getpid()}")
            lock.flush()
            yield

    def is_locked(self) -> bool:
        """Whether a supervisor lives here."""
        if not (self.path / "lock").exists():
            return False
        try:
            with self.locked():
                return False
        except HomeInUse:
            return True

    def rotate_log(self, process: str) -> None:
        """Keep one older log, so that a crash loop cannot fill the disk."""
        log = self.log_file(process)
        if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
            log.replace(log.with_suffix(".log.1"))

    def log_tail(self, process: str, lines: int = 20) -> list[str]:
        """The last *lines* of what a process wrote; empty if it never ran."""
        path = self.log_file(process)
        if not path.exists():
            return []
        with path.open("rb") as log:
            # Reads no more than what that many very long lines would take.
            log.seek(max(0, path.stat().st_size - lines * 4096))
            return log.read().decode(errors="replace").splitlines()[-lines:]


def whole_lines(path: Path) -> list[str]:
    """The lines that whoever writes to *path* has finished; none if there is no such file."""
    if not path.exists():
        return []
    text = path.read_bytes()
    return text[: text.rfind(b"\n") + 1].decode(errors="replace").splitlines()


def _read_object(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    if not isinstance(document, dict):
        raise TypeError(f"{path} holds no JSON object; delete it")
    return document


def _replace(path: Path, document: Mapping[str, Any]) -> None:
    # 0600 from the start: these files name passwords.
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(document, file, indent=1)
    temporary.replace(path)
