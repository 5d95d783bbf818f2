"""A plugin of pytest: at its end a run says what was skipped, how many of each, and why."""

from collections import Counter, defaultdict
from typing import Any


class NotRun:
    """What a run leaves out is no part of its verdict, and nobody should have to count dots."""

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        # pytest's own summary, which comes next, would say it again by line numbers.
        terminalreporter.reportchars = terminalreporter.reportchars.replace("s", "")
        names: dict[str, Counter[str]] = defaultdict(Counter)
        for report in terminalreporter.getreports("skipped"):
            names[_reason(report)][_name(report.nodeid)] += 1
        for reason, those in names.items():
            terminalreporter.write_line(f"{those.total()} not run: {reason}", yellow=True)
            for name, count in those.items():
                terminalreporter.write_line(f"  {name}" + (f" ×{count}" if count > 1 else ""))


def _reason(report: Any) -> str:
    _, _, said = report.longrepr
    return str(said).removeprefix("Skipped: ")


def _name(nodeid: str) -> str:
    """As the scenario's title reads, without the values of its table."""
    function = nodeid.partition("[")[0].partition("@")[0].rpartition("::")[2]
    return function.removeprefix("test_").replace("_", " ").capitalize()
