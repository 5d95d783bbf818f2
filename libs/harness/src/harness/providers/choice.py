"""Which infrastructure a stack stands on, and why that one. Starts nothing."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from harness.process.home import Home
from harness.process.stack_config import Launch
from harness.providers import images
from harness.providers.containers import (
    ContainersProvider,
    ContainersUnavailable,
    find_engine,
    missing,
)
from harness.providers.embedded import EmbeddedProvider
from harness.providers.local import LocalProvider

PROVIDER_VARIABLE = "CARTWRIGHT_PROVIDER"
# Endpoints as JSON, or the state file of a stack that runs: what `external` looks at.
ENDPOINTS_VARIABLE = "CARTWRIGHT_ENDPOINTS"


class UnknownProvider(ValueError):
    """The message names those there are."""


class ProviderName(StrEnum):
    """As one writes them after `--provider`."""

    EMBEDDED = "embedded"
    CONTAINERS = "containers"
    EXTERNAL = "external"
    AUTO = "auto"


@dataclass(frozen=True)
class Choice:
    """name: never `auto`. reason: a clause for a person, such as ``asked for``."""

    name: ProviderName
    reason: str

    def __str__(self) -> str:
        return f"provider {self.name}: {self.reason}"


def choose(wanted: str | None, repo_root: Path, outside: Mapping[str, str] = os.environ) -> Choice:
    """What to run on: *wanted*, else CARTWRIGHT_PROVIDER, else `embedded`, which runs anywhere.

    Raises `UnknownProvider`.
    """
    named = wanted or outside.get(PROVIDER_VARIABLE)
    if not named:
        return Choice(ProviderName.EMBEDDED, "nothing else was asked for")
    if named not in list(ProviderName):
        raise UnknownProvider(f"{named!r} is none of {', '.join(ProviderName)}")
    if named != ProviderName.AUTO:
        return Choice(ProviderName(named), "asked for")
    if outside.get(ENDPOINTS_VARIABLE):
        return Choice(ProviderName.EXTERNAL, f"{ENDPOINTS_VARIABLE} is set")
    return _of_this_machine(repo_root)


def _of_this_machine(repo_root: Path) -> Choice:
    try:
        lacking = missing(find_engine(), images.load(repo_root).by_part().values())
    except ContainersUnavailable as error:
        return Choice(ProviderName.EMBEDDED, str(error))
    if lacking:  # To fetch gigabytes is nothing that `auto` should do.
        return Choice(ProviderName.EMBEDDED, f"the engine has no image {', '.join(lacking)}")
    return Choice(ProviderName.CONTAINERS, "an engine answers and has every image")


_STARTERS: Mapping[str, type[LocalProvider]] = {
    ProviderName.EMBEDDED: EmbeddedProvider,
    ProviderName.CONTAINERS: ContainersProvider,
}


def local_provider(name: str) -> type[LocalProvider]:
    """What starts a stack of that name here. Raises `UnknownProvider`."""
    if name not in _STARTERS:
        raise UnknownProvider(f"{name!r} starts nothing; {' and '.join(_STARTERS)} do")
    return _STARTERS[name]


def provider_of(home: Home) -> type[LocalProvider]:
    """What started the stack in *home*, last time; `embedded` if nothing ever did."""
    try:
        plan = Launch.read(home).plan
    except FileNotFoundError:
        return EmbeddedProvider
    return next((one for one in _STARTERS.values() if one.plan == plan), EmbeddedProvider)
