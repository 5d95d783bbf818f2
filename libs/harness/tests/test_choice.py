"""Which provider is taken, and what it says about why."""

from pathlib import Path

import pytest
from harness import stack
from harness.process.home import Home
from harness.process.stack_config import Launch
from harness.providers import choice
from harness.providers.choice import ProviderName, UnknownProvider, choose
from harness.providers.containers import ContainersProvider, ContainersUnavailable
from harness.providers.embedded import EmbeddedProvider

ROOT = stack.repository()


@pytest.fixture
def engine_with(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The images that this machine lacks; fill it in."""
    lacking: list[str] = []
    monkeypatch.setattr(choice, "find_engine", object)
    monkeypatch.setattr(choice, "missing", lambda _engine, _wanted: lacking)
    return lacking


def test_without_a_word_it_is_what_runs_anywhere() -> None:
    assert choose(None, ROOT, {}).name is ProviderName.EMBEDDED


def test_the_option_counts_more_than_the_environment() -> None:
    outside = {"CARTWRIGHT_PROVIDER": "containers"}

    assert choose(None, ROOT, outside).name is ProviderName.CONTAINERS
    assert choose("external", ROOT, outside).name is ProviderName.EXTERNAL


def test_a_name_that_is_none_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownProvider, match="embedded, containers, external, auto"):
        choose("docker", ROOT, {})


@pytest.mark.usefixtures("engine_with")
def test_auto_takes_containers_where_an_engine_has_every_image() -> None:
    assert str(choose("auto", ROOT, {})) == (
        "provider containers: an engine answers and has every image"
    )


def test_auto_names_the_image_that_is_missing(engine_with: list[str]) -> None:
    engine_with.append("redis:8")

    assert str(choose("auto", ROOT, {})) == "provider embedded: the engine has no image redis:8"


def test_auto_says_that_there_is_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise ContainersUnavailable("no container engine answers: refused")

    monkeypatch.setattr(choice, "find_engine", refuse)

    chosen = choose("auto", ROOT, {})

    assert chosen.name is ProviderName.EMBEDDED
    assert chosen.reason == "no container engine answers: refused"


@pytest.mark.usefixtures("engine_with")
def test_auto_takes_a_shop_that_it_is_told_of() -> None:
    chosen = choose("auto", ROOT, {"CARTWRIGHT_ENDPOINTS": "shop.json"})

    assert str(chosen) == "provider external: CARTWRIGHT_ENDPOINTS is set"


def test_who_names_a_shop_need_not_say_that_it_is_external() -> None:
    chosen = choose(None, ROOT, {"CARTWRIGHT_PROVIDER": "containers"}, shop="compose")

    assert (chosen.name, chosen.shop) == (ProviderName.EXTERNAL, "compose")
    assert str(chosen) == "provider external: --shop compose"


def test_who_names_a_shop_cannot_choose_what_it_stands_on() -> None:
    with pytest.raises(UnknownProvider, match="not 'containers'"):
        choose("containers", ROOT, {}, shop="running")


def test_external_starts_nothing() -> None:
    with pytest.raises(UnknownProvider, match="'external' starts nothing"):
        choice.local_provider("external")


@pytest.mark.parametrize("provider", [EmbeddedProvider, ContainersProvider], ids=lambda p: p.plan)
def test_a_stack_is_stopped_by_what_started_it(
    tmp_path: Path, provider: type[EmbeddedProvider | ContainersProvider]
) -> None:
    home = Home(tmp_path)
    Launch(provider.plan, str(ROOT), [], {}).write(home)

    assert choice.provider_of(home) is provider


def test_where_nothing_ever_ran_there_is_nothing_of_containers_to_stop(tmp_path: Path) -> None:
    assert choice.provider_of(Home(tmp_path)) is EmbeddedProvider
