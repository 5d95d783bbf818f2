"""Writes docs/conformance.md: what is claimed of which target, and every exception. Runs no test.

`python -m conformance.page` writes the page; a test says when it is out of date.
"""

import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType

from harness import stack

from conformance import targets
from conformance.differences import DIFFERENCES, Difference
from conformance.targets import MESSAGING, POSTGRES, REDIS, TRACES

PLACE = Path("docs", "conformance.md")
# Subject -> its title and its modules, in the order of the page.
SECTIONS = {
    MESSAGING: (
        "SNS and SQS",
        (
            "test_publishing",
            "test_messages",
            "test_queues",
            "test_dead_letters",
            "test_long_polls",
            "test_refusals",
            "test_topology",
        ),
    ),
    TRACES: ("Trace API", ("test_trace_spans", "test_traces", "test_trace_requests")),
    POSTGRES: (
        "PostgreSQL",
        ("test_postgres_locks", "test_postgres_schema", "test_postgres_search"),
    ),
    REDIS: ("Redis", ("test_redis",)),
}

HEAD = """\
<!-- Written by `python -m conformance.page`. -->
# Conformance

The shop runs on wheels and emulators, in containers, and on AWS. What it relies on in SNS and SQS,
PostgreSQL, Redis and Jaeger is written down once, as tests in `conformance/`, and the same tests
run against every stand-in and against what it stands for.

    make conformance                            # what is here; skips the rest, and says why
    CONFORMANCE_REQUIRED=all make conformance   # a target that is missing is an error (CI)
    CONFORMANCE_AWS=yes make conformance        # also AWS, by your credentials; it costs money

✓: the test passes there. A number: it must fail there, as the [exception](#exceptions) of that
number says; when it passes, or fails in another way, the suite fails. So no exception outlives its
cause. "✓ but" a number: it passes for every case but that of the exception. No test asserts
an order of messages: SQS promises none.

What AWS does is taken from its API reference, because here nobody could ask AWS; LocalStack is the
second opinion, not the judge. Of Jaeger the real program is the judge.
"""


def render() -> str:
    """The whole page."""
    parts = [HEAD]
    for subject, (title, modules) in SECTIONS.items():
        parts.append(f"\n## {title}\n")
        parts += [_table(subject, module(name)) for name in modules]
    parts.append("\n## Exceptions\n")
    parts += [_exception(number, it) for number, it in enumerate(DIFFERENCES, start=1)]
    return "".join(parts)


def claims(tests: ModuleType) -> Iterator[str]:
    """The names of the module's tests, in the order of the file."""
    found = inspect.getmembers(tests, inspect.isfunction)
    own = [it for name, it in found if name.startswith("test_") and it.__module__ == tests.__name__]
    for function in sorted(own, key=lambda it: it.__code__.co_firstlineno):
        yield function.__name__


def module(name: str) -> ModuleType:
    """name: as in SECTIONS."""
    return importlib.import_module(f"conformance.{name}")


def _table(subject: str, tests: ModuleType) -> str:
    columns = [it for it in targets.TARGETS if it.subject == subject]
    head = " | ".join(it.title for it in columns)
    lines = [f"\n{tests.__doc__}\n", f"| | {head} |", "|---" * (len(columns) + 1) + "|"]
    for test in claims(tests):
        cells = " | ".join(_cell(test, target.name) for target in columns)
        lines.append(f"| {_words(test)}{_cases(getattr(tests, test))} | {cells} |")
    return "\n".join(lines) + "\n"


def _cases(test: FunctionType) -> str:
    """Those that are named by words, for the tests that are many in one."""
    for mark in getattr(test, "pytestmark", ()):
        names = list(mark.args[1]) if mark.name == "parametrize" else []
        if len(names) > 1 and all(type(name) is str for name in names):
            return ": " + ", ".join(name.replace("-", " ") for name in names)
    return ""


def _cell(test: str, target: str) -> str:
    listed = {
        str(number): it
        for number, it in enumerate(DIFFERENCES, start=1)
        if (it.test, it.target) == (test, target)
    }
    if not listed:
        return "✓"
    return ("✓ but " if all(it.case for it in listed.values()) else "") + ", ".join(listed)


def _exception(number: int, it: Difference) -> str:
    [target] = [target for target in targets.TARGETS if target.name == it.target]
    case = f" ({it.case})" if it.case else ""
    return (
        f"\n{number}. **{target.title}: {it.what}**\n"
        f"   Test: {_words(it.test)}{case}.\n"
        f"   Why it stays: {it.why}\n"
        f"   What the shop does: {it.shop}\n"
    )


def _words(test: str) -> str:
    return test.removeprefix("test_").replace("_", " ")


def main() -> None:
    path = stack.repository() / PLACE
    path.write_text(render(), encoding="utf-8")
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
