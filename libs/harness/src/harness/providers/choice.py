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
# Which shop `external` is, as `--shop` says it: see `harness.providers.external`.
ENDPOINTS_VARIABLE = "CARTWRIGHT_ENDPOINTS"


class UnknownProvider(ValueError):
    """The message names those there are."""


class ProviderName(StrEnum):
    """As one writes them after `--provider`."""

    EMBEDDED = "embedded"
    CONTAINERS = "containers"
    EXTERNAL = "external"
    AUTO = "auto"


class Capability(StrEnum):
    """What some scenarios need of what the shop stands on, as a person is told that it lacks."""

    OWN_SHOPS = "shops started for the tests"
    LASTING_MESSAGES = "queues that keep their messages through kill -9"
    FIGURES = "a store of metrics"
    PUBLISH_JOURNAL = "topics that note what they took"


CAPABILITIES: Mapping[ProviderName, frozenset[Capability]] = {
    ProviderName.EMBEDDED: frozenset(Capability),
    # LocalStack keeps its messages in memory and no journal, and Jaeger takes no metrics.
    ProviderName.CONTAINERS: frozenset({Capability.OWN_SHOPS}),
    ProviderName.EXTERNAL: frozenset(),
}


@dataclass(frozen=True)
class Choice:
    """name: never `auto`. reason: a clause for a person, such as ``asked for``.

    shop: which one `external` is; if empty, what the environment says.
    """

    name: ProviderName
    reason: str
    shop: str = ""

    def has(self, capability: Capability) -> bool:
        return capability in CAPABILITIES[self.name]

    def __str__(self) -> str:
        return f"provider {self.name}: {self.reason}"


def choose(
    wanted: str | None,
    repo_root: Path,
    outside: Mapping[str, str] = os.environ,
    *,
    shop: str | None = None,
) -> Choice:
    """What to run on: *wanted*, else CARTWRIGHT_PROVIDER, else `embedded`, which runs anywhere.

    shop: one that runs already, see `harness.providers.external`; then it is `external`.
    Raises `UnknownProvider`.
    """
    if shop:
        if wanted not in {None, ProviderName.EXTERNAL}:
            raise UnknownProvider(f"a shop that runs stands on what it stands on, not {wanted!r}")
        return Choice(ProviderName.EXTERNAL, f"--shop {shop}", shop)
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
