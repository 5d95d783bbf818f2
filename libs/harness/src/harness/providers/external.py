"""A shop that somebody else runs: finds out where it is. Starts and stops nothing.

`--shop` or ``CARTWRIGHT_ENDPOINTS`` says which: ``running``, the one that `cartwright up` left on
this machine; ``compose``, that of `docker compose up`; or a JSON file with the members of
`Endpoints`, such as the state file that a home keeps. Unset, it is the one that runs. Every member
that is a text or a number may also stand in the environment, as ``CARTWRIGHT_`` and its name in
capitals, and counts more: that is where a password belongs.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any, NoReturn

from harness.process.endpoints import Endpoints
from harness.process.failure import CannotStart
from harness.providers.choice import ENDPOINTS_VARIABLE

PREFIX = "CARTWRIGHT_"
SAID_MAX = 300
RUNNING, COMPOSE = "running", "compose"
# Unless COMPOSE_FILE says otherwise: the second says where everything is.
COMPOSE_FILES = os.pathsep.join(("docker-compose.yml", "infra/compose-simulation.yml"))
_PARSED = {str: str, int: int}
# Nobody signals what another machine runs, and what is elsewhere has no home here.
_NOT_OURS: dict[str, Any] = {"provider": "external", "pids": {}, "home": ""}


class NoEndpoints(CannotStart):
    """It is not said where the shop is, or not all of it; the message names what is missing."""


def endpoints(
    outside: Mapping[str, str] = os.environ,
    *,
    repo_root: Path,
    here: Endpoints | None = None,
    shop: str = "",
) -> Endpoints:
    """Where the shop is. Raises `NoEndpoints`.

    here: the one that runs on this machine. shop: counts more than CARTWRIGHT_ENDPOINTS.
    """
    named = shop or outside.get(ENDPOINTS_VARIABLE) or RUNNING
    if named == RUNNING:
        told = asdict(here) if here else _nothing_runs()
    elif named == COMPOSE:
        told = _of_compose(repo_root, outside) | _NOT_OURS
    else:
        told = _of_file(Path(named)) | _NOT_OURS
    known = told | _from_environment(outside)
    needed = [f.name for f in fields(Endpoints) if f.default is MISSING]
    missing = [name for name in needed if name not in known]
    if missing:
        raise NoEndpoints(f"{named} leaves out {', '.join(missing)}")
    return Endpoints.from_json(known)


def _nothing_runs() -> NoReturn:
    raise NoEndpoints(
        "no shop runs here: `cartwright up --provable` starts one; of one that runs elsewhere"
        f" --shop or {ENDPOINTS_VARIABLE} names a file with its endpoints"
    )


def _of_compose(repo_root: Path, outside: Mapping[str, str]) -> dict[str, Any]:
    """What the project's files say, its passwords filled in from ``.env``."""
    try:
        printed = subprocess.run(
            ["docker", "compose", "config", "--format", "json"],  # noqa: S607  The user's own.
            cwd=repo_root,
            env={"COMPOSE_FILE": COMPOSE_FILES, **outside},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    except FileNotFoundError as error:
        raise NoEndpoints(f"the shop of Docker Compose needs its command: {error}") from None
    except subprocess.CalledProcessError as error:
        said = " ".join(error.stderr.split())[:SAID_MAX] or "nothing"
        raise NoEndpoints(f"`docker compose config` says: {said}") from None
    document = json.loads(printed)
    if "x-endpoints" not in document:
        raise NoEndpoints("COMPOSE_FILE leaves out infra/compose-simulation.yml")
    told = _members(document, "docker compose config")
    if ledgers := told.get("span_ledger_dir"):
        told["span_ledger_dir"] = str(repo_root / ledgers)
    return told


def _of_file(path: Path) -> dict[str, Any]:
    try:
        return _members(json.loads(path.read_text(encoding="utf-8")), str(path))
    except (OSError, ValueError) as error:
        raise NoEndpoints(f"{path}: {error}") from None


def _members(document: Any, source: str) -> dict[str, Any]:
    for key in ("endpoints", "x-endpoints"):
        if isinstance(document, dict) and key in document:
            document = document[key]
    if not isinstance(document, dict):
        raise NoEndpoints(f"{source}: holds no endpoints; is the shop running?")
    # Compose fills in texts only.
    return document | {
        member.name: _parsed(member.name, member.type, document[member.name])
        for member in fields(Endpoints)
        if member.type is int and member.name in document
    }


def _from_environment(outside: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for member in fields(Endpoints):
        given = outside.get(PREFIX + member.name.upper())
        if given is not None and member.type in _PARSED and member.name not in _NOT_OURS:
            found[member.name] = _parsed(PREFIX + member.name.upper(), member.type, given)
    return found


def _parsed(name: str, wanted: Any, given: str) -> Any:
    try:
        return _PARSED[wanted](given)
    except ValueError:
        raise NoEndpoints(f"{name} is no {wanted.__name__}: {given!r}") from None
