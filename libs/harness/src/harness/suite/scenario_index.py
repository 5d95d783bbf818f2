"""What is shown, by scenario (docs/scenarios.md): `python -m harness.suite.scenario_index`."""

import argparse
import re
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from harness.suite.gherkin import Scenario, parse, read

PAGE = Path("docs") / "scenarios.md"
HEAD = """# What is shown: {scenarios} scenarios, {tests} with their examples

Written by `python -m harness.suite.scenario_index --write` from [`features/`](../features); a test
compares them. Each runs against the whole shop, on any [provider](providers.md); those under
*faults* have a shop of their own ([faults](faults.md)).
"""


def tests_of(scenario: Scenario) -> int:
    """How often it runs: once for each example."""
    return len(scenario.examples) or 1


def page(folder: Path) -> str:
    """docs/scenarios.md for the features in *folder*."""
    scenarios = read(folder)
    count = sum(tests_of(scenario) for scenario in scenarios)
    return "\n".join(
        [HEAD.format(scenarios=len(scenarios), tests=count), *_sections(folder, scenarios), ""]
    )


def _sections(folder: Path, scenarios: list[Scenario]) -> Iterator[str]:
    for domain, here in groupby(scenarios, key=lambda s: Path(s.file).parts[0]):
        yield f"## {domain.capitalize()}\n"
        for file, told in groupby(here, key=lambda s: s.file):
            feature = parse(folder / file)
            described = " ".join(feature["description"].split())
            yield f"**[{feature['name']}](../{folder.name}/{file})**. {described}\n"
            yield from (_line(scenario) for scenario in told)
            yield ""


def _line(scenario: Scenario) -> str:
    name = re.sub(r"<(.+?)>", r"*\1*", scenario.name)
    times = f" ({len(scenario.examples)} examples)" if scenario.examples else ""
    return f"- {name}{times}"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m harness.suite.scenario_index", description=__doc__
    )
    parser.add_argument("--write", action="store_true", help=f"write {PAGE}")
    wanted = page(Path("features"))
    if parser.parse_args().write:
        PAGE.write_text(wanted)
        return 0
    if PAGE.read_text() == wanted:
        return 0
    print(f"{PAGE} is not of these features: python -m harness.suite.scenario_index --write")  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main())
