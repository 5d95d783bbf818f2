"""A pytest plugin: records every scenario of pytest-bdd, and writes the page when all are over.

Registered where `--report` is wanted. With xdist each worker writes lines of its own; the
controller, who runs none, writes the page.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Collection, Generator, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from harness.process.endpoints import Endpoints
from harness.process.home import Home
from harness.proof.flows import Proof
from harness.shopper.scenario_shop import ScenarioShop
from harness.suite.report import page, recording
from harness.suite.report.gatherer import FLOWS_MAX, Gatherer
from harness.suite.report.recording import Scenario, Step
from harness.suite.report.redaction import redacted
from harness.suite.undefined_steps import scenario_of
from harness.traces import trace_archive

FOLDER = "report_folder"  # What a worker is told by its controller.
SCENARIO = pytest.StashKey[Scenario]()
# A report is read by people: pytest's whole output of a failure is in the terminal, and in CI's.
FAILURE_CHARS_MAX = 20_000
RAN_TO_ITS_END = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
# Options of pytest with which it only says what there is.
RUN_NOTHING = ("collectonly", "showfixtures", "show_fixtures_per_test")


def add_option(parser: pytest.Parser) -> None:
    parser.addoption(
        "--report",
        default="reports/acceptance.html",
        metavar="FILE",
        help="where to write the page about the scenarios; nowhere, if empty",
    )


class Report:
    """headline: what the page says of the shop, e.g. its provider and why."""

    def __init__(self, config: pytest.Config, headline: str) -> None:
        self._config, self._headline = config, headline
        told: dict[str, Any] = getattr(config, "workerinput", {})
        self._is_worker = FOLDER in told
        self._folder = Path(told[FOLDER] if self._is_worker else tempfile.mkdtemp("-report"))
        self._file = self._folder / f"{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}.jsonl"
        self._held = ExitStack()
        self._gatherers: dict[int, Gatherer] = {}
        self._known: set[str] = set()
        self._args: dict[str, Any] = {}
        self._began = time.time()
        self._scenario_began = 0.0  # By the shoppers' clock.
        self._step_began = 0.0
        self._written: Path | None = None
        self._kept: Path | None = None
        # What pytest itself says of tests that did not pass, by test: the last word is its.
        self._not_passed: dict[str, Any] = {}

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[FOLDER] = str(self._folder)

    @pytest.hookimpl(tryfirst=True)  # What comes after it may end the run.
    def pytest_sessionstart(self) -> None:
        """Whatever becomes of this run, the page of an earlier one says nothing about it."""
        if self._is_worker or any(map(self._config.getoption, RUN_NOTHING)):
            return
        written = Path(self._config.getoption("--report"))
        if written.is_file():
            written.unlink()
        shutil.rmtree(_run_beside(written), ignore_errors=True)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        chosen = [item.nodeid for item in session.items if scenario_of(item)]
        recording.write_chosen(self._file, chosen)

    # A scenario, in the order in which pytest-bdd tells of it.

    def pytest_bdd_before_scenario(self, request: Any, feature: Any, scenario: Any) -> None:
        self._args = {}
        self._scenario_began = time.time()
        request.node.stash[SCENARIO] = Scenario(
            request.node.nodeid,
            feature.name,
            str(feature.rel_filename),
            scenario.name,
            scenario.line_number,
            self._file.stem,
            [Step(step.keyword, step.name, table=_table(step)) for step in scenario.steps],
        )

    def pytest_bdd_before_step(self) -> None:
        self._step_began = time.monotonic()

    def pytest_bdd_after_step(
        self, request: Any, scenario: Any, step: Any, step_func_args: Mapping[str, Any]
    ) -> None:
        self._args.update(step_func_args)
        self._ended(request, scenario, step, recording.PASSED)

    def pytest_bdd_step_error(
        self, request: Any, scenario: Any, step: Any, step_func_args: Mapping[str, Any]
    ) -> None:
        self._args.update(step_func_args)
        self._ended(request, scenario, step, recording.FAILED)

    def _ended(self, request: Any, scenario: Any, step: Any, outcome: str) -> None:
        recorded = request.node.stash[SCENARIO].steps[list(scenario.steps).index(step)]
        recorded.outcome = outcome
        recorded.seconds = time.monotonic() - self._step_began

    def pytest_bdd_step_func_lookup_error(self, request: Any, scenario: Any, step: Any) -> None:
        self._step_began = time.monotonic()
        self._ended(request, scenario, step, recording.FAILED)

    def pytest_bdd_after_scenario(self, request: Any) -> None:
        """Its fixtures are still here, and so is its shop."""
        scenario = request.node.stash[SCENARIO]
        shops = [value for value in self._args.values() if isinstance(value, ScenarioShop)]
        if not shops:
            return
        try:
            self._gather(request, scenario, shops[0])
        except Exception as error:  # noqa: BLE001  Whatever it is: a report fails no scenario.
            scenario.note = f"what it did could not be read: {error!r}"

    def _gather(self, request: Any, scenario: Scenario, shop: ScenarioShop) -> None:
        gatherer = self._gatherer(shop)
        # The history is the shop's: what came before may be of tests that are no scenarios.
        orders = [
            op.order_id
            for op in shop.history.operations()
            if op.order_id and op.started_at >= self._scenario_began
        ]
        proof: Proof | None = request.getfixturevalue("proof") if "see" in self._args else None
        traces = gatherer.traces_of(list(dict.fromkeys(orders)))
        failed = any(step.outcome == recording.FAILED for step in scenario.steps)
        scenario.flows = list(gatherer.flows(traces, proof, keep=failed))
        if not shop.endpoints.auditor_dsn:
            scenario.note = "the shop's books are closed to us: its orders are not shown"
        elif len(traces) > FLOWS_MAX:
            scenario.note = f"{len(traces) - FLOWS_MAX} more orders are not shown"
        properties = {"feature": scenario.file, "orders": traces.keys(), "traces": traces.values()}
        request.node.user_properties += [
            (name, value if isinstance(value, str) else " ".join(value))
            for name, value in properties.items()
        ]

    def _gatherer(self, shop: ScenarioShop) -> Gatherer:
        if id(shop) not in self._gatherers:
            self._gatherers[id(shop)] = self._held.enter_context(Gatherer(shop))
        return self._gatherers[id(shop)]

    # Any test.

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self) -> Generator[None, object, object]:
        """Whose shop it is: any test may fail with one of its secrets in its hands."""
        made = yield
        if isinstance(made, Endpoints):
            self._known |= _secrets(made)
        return made

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: Any) -> Generator[None, Any, Any]:
        report = yield
        # Here, because no other process knows this one's secrets; xdist takes it along.
        report.shown = _shown(report, self._known)
        scenario = item.stash.get(SCENARIO, None)
        if scenario is not None:
            _judge(scenario, report)
            if call.when == "teardown":
                recording.write(self._file, scenario, self._known)
        return report

    # The whole run.

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Told to the controller of every test, also of those whose process has died."""
        if report.failed or (report.skipped and report.nodeid not in self._not_passed):
            self._not_passed[report.nodeid] = report

    @pytest.hookimpl(trylast=True)  # Other processes write until xdist has ended them.
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        self._held.close()
        if self._is_worker:
            return
        scenarios = _completed(list(recording.read(self._folder)), self._not_passed)
        if scenarios:
            self._written = Path(self._config.getoption("--report"))
            self._written.parent.mkdir(parents=True, exist_ok=True)
            chosen = recording.read_chosen(self._folder)
            over = chosen & {scenario.id for scenario in scenarios}
            is_whole = over == chosen and exitstatus in RAN_TO_ITS_END
            broken_off = None if is_whole else page.BrokenOff(len(over), len(chosen))
            rendered = page.render(scenarios, self._headline, self._began, time.time(), broken_off)
            self._written.write_text(rendered, encoding="utf-8")
            self._kept = keep_traces(scenarios, self._written)
        shutil.rmtree(self._folder)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._written:
            terminalreporter.write_line(f"report: {self._written}")
        if self._kept:
            terminalreporter.write_line(
                f"traces of what failed: cartwright trace ORDER|TRACE --run {self._kept}"
            )


def keep_traces(scenarios: Iterable[Scenario], written: Path) -> Path | None:
    """Where they are now, beside the page, in a folder as a run of the simulator has one.

    Those of an earlier run are gone, also where there are none now.
    """
    run = _run_beside(written)
    folder = run / trace_archive.FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    told = [(flow, flow.stored) for one in scenarios for flow in one.flows if flow.stored]
    if not told:
        return None
    with trace_archive.TraceWriter(folder) as archive:
        for flow, stored in told:
            archive.add(
                stored, trace_id=flow.trace_id, order_id=flow.order_id, outcome=recording.FAILED
            )
    return run


def _run_beside(written: Path) -> Path:
    return written.with_name(f"{written.stem}-failed")


def _table(step: Any) -> list[list[str]]:
    rows = step.datatable.rows if step.datatable else []
    return [[cell.value for cell in row.cells] for row in rows]


def _secrets(endpoints: Endpoints) -> set[str]:
    """What no failure may show of the shop, as far as it is ours to know."""
    told = {endpoints.jwt_secret, endpoints.payment_provider_api_key}
    if not endpoints.home:
        return told
    try:
        return told | Home(Path(endpoints.home)).kept_secrets()
    except OSError:  # Somebody else's.
        return told


def _shown(report: Any, known: Collection[str]) -> str:
    return redacted(str(report.longrepr or ""), known)[-FAILURE_CHARS_MAX:]


def _judge(scenario: Scenario, report: Any) -> None:
    """What *report*, of set-up, call or teardown, says of the scenario."""
    scenario.seconds += report.duration
    # Of a process that has died xdist says so, and nothing of what was in its hands.
    said = report.shown if hasattr(report, "shown") else _shown(report, ())
    if report.failed:
        scenario.outcome = recording.FAILED
        scenario.failure += said
    elif report.skipped and scenario.outcome == recording.PASSED:
        scenario.outcome = recording.SKIPPED
        scenario.note = said


def _completed(scenarios: list[Scenario], not_passed: Mapping[str, Any]) -> list[Scenario]:
    """With those that did not get so far as to be recorded, and other tests that failed."""
    by_id = {scenario.id: scenario for scenario in scenarios}
    for id_, report in not_passed.items():
        if id_ not in by_id:
            file, _, name = id_.partition("::")
            by_id[id_] = Scenario(id_, "Not recorded", file, name, 0, "", [])
        if by_id[id_].outcome == recording.PASSED:
            _judge(by_id[id_], report)
    return list(by_id.values())
