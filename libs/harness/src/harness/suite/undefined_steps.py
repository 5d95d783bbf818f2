"""A plugin of pytest: a scenario that says what nothing defines fails before a shop is started."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from pytest_bdd.parser import ScenarioTemplate
from pytest_bdd.scenario import scenario_wrapper_template_registry

from harness.suite import gherkin, steps

_WHY = pytest.StashKey[str]()


def scenario_of(item: pytest.Item) -> ScenarioTemplate | None:
    """None for an ordinary test."""
    function = getattr(item, "function", None)
    return scenario_wrapper_template_registry.get(function) if function else None


class UndefinedSteps:
    """folder: of the features, with the definitions of their steps."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @pytest.hookimpl(trylast=True)  # What nobody chose is nobody's trouble.
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: Sequence[pytest.Item]
    ) -> None:
        chosen = {item: scenario for item in items if (scenario := scenario_of(item))}
        missing = self._missing() if chosen else {}
        for item, scenario in chosen.items():
            file = str(Path(scenario.feature.filename).relative_to(self._folder))
            if why := missing.get((file, scenario.name)):
                item.stash[_WHY] = why
        # At once, where there is somebody to tell: not in a process of many.
        if terminal := config.pluginmanager.get_plugin("terminalreporter"):
            for why in dict.fromkeys(i.stash[_WHY] for i in items if _WHY in i.stash):
                terminal.write_line(why, red=True)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if why := item.stash.get(_WHY, ""):
            pytest.fail(why, pytrace=False)

    def _missing(self) -> dict[tuple[str, str], str]:
        """By file and scenario, what is undefined in it."""
        scenarios, defined = gherkin.read(self._folder), steps.read(self._folder)
        return {
            (one.file, one.name): "\n".join(
                f"{one.file}:{line}: {said}"
                for line, said in steps.undefined(one, defined, scenarios)
            )
            for one in scenarios
        }
