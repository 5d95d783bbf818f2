"""A shop that somebody else runs: finds out where it is. Starts and stops nothing.

``CARTWRIGHT_ENDPOINTS`` names a JSON file: the members of `Endpoints`, the state file that
`cartwright up` keeps in its home, or what `docker compose config` prints; unset, it is the shop
that runs on this machine. Every member that is a text or a number may also stand in the
environment, as ``CARTWRIGHT_`` and its name in capitals, and counts more than the file: that is
where a password belongs.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from harness.process.endpoints import Endpoints
from harness.process.failure import CannotStart
from harness.providers.choice import ENDPOINTS_VARIABLE

PREFIX = "CARTWRIGHT_"
_PARSED = {str: str, int: int}
# Nobody signals what another machine runs, and what is elsewhere has no home here.
_NOT_OURS: Mapping[str, Any] = {"provider": "external", "pids": {}, "home": ""}


class NoEndpoints(CannotStart):
    """It is not said where the shop is, or not all of it; the message names what is missing."""


def endpoints(outside: Mapping[str, str] = os.environ, *, here: Path | None = None) -> Endpoints:
    """Where the shop is. Raises `NoEndpoints`.

    here: the state file of this machine's shop, which counts if no other is named.
    """
    known = {**_from_file(outside, here), **_from_environment(outside), **_NOT_OURS}
    needed = [f.name for f in fields(Endpoints) if f.default is MISSING]
    missing = [name for name in needed if name not in known]
    if missing:
        raise NoEndpoints(f"{ENDPOINTS_VARIABLE} leaves out {', '.join(missing)}")
    return Endpoints.from_json(known)


def _from_file(outside: Mapping[str, str], here: Path | None) -> dict[str, Any]:
    named = outside.get(ENDPOINTS_VARIABLE) or here
    if not named or (named == here and not here.exists()):
        raise NoEndpoints(
            "no shop runs here: `cartwright up --provable` starts one; of one that runs elsewhere"
            f" {ENDPOINTS_VARIABLE} names a file with its endpoints"
        )
    try:
        document = json.loads(Path(named).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NoEndpoints(f"{named}: {error}") from None
    for key in ("endpoints", "x-endpoints"):
        if isinstance(document, dict) and key in document:
            document = document[key]
    if not isinstance(document, dict):
        raise NoEndpoints(f"{named}: holds no endpoints; is the shop running?")
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
        if given is not None and member.type in _PARSED:
            found[member.name] = _parsed(PREFIX + member.name.upper(), member.type, given)
    return found


def _parsed(name: str, wanted: Any, given: str) -> Any:
    try:
        return _PARSED[wanted](given)
    except ValueError:
        raise NoEndpoints(f"{name} is no {wanted.__name__}: {given!r}") from None
