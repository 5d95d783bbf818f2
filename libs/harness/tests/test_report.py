"""The page about a run: everything is on it that was recorded, and nothing that is secret."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from harness.process.endpoints import Endpoints
from harness.process.home import Home
from harness.shopper.history import Operation, Outcome
from harness.shopper.scenario_shop import ScenarioShop
from harness.suite.report import drawing, page, plugin, recording
from harness.suite.report.gatherer import FLOWS_MAX
from harness.suite.report.plugin import SCENARIO, Report, keep_traces
from harness.suite.report.recording import Flow, Scenario, Step
from harness.suite.report.redaction import HIDDEN, redacted
from harness.traces import trace_archive
from harness.traces.causality import Trace
from harness.traces.spans import Kind, Link, Span, Status

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbmEifQ.c2lnbmF0dXJl"
CARD = "4242 4242 4242 4242"
FAILURE = "assert 'cancelled' == 'confirmed'"
UNLIKELY = "a key of few words"  # Nothing in it looks like one.


class Text(HTMLParser):
    """What a reader sees, and what a browser would load or run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


def span(number: int, service: str, name: str, parent: int | None, **more: object) -> Span:
    told = Span(
        "a1" * 16,
        f"{number:016x}",
        None if parent is None else f"{parent:016x}",
        name,
        Kind.SERVER,
        service,
        number * 1_000_000,
        (number + 5) * 1_000_000,
    )
    return replace(told, **more)  # type: ignore[arg-type]


TRACE = Trace(
    (
        span(0, "shopper", "checkout", None),
        span(1, "order", "POST /orders", 0),
        span(2, "order", "publish order.placed", 1, kind=Kind.PRODUCER),
        span(3, "inventory", "process order.placed", 2, kind=Kind.CONSUMER),
        span(4, "payment", "authorize", 3, status=Status.ERROR),
    )
)
LINKED = span(
    9, "order", "webhook", None, trace_id="b2" * 16, links=(Link("a1" * 16, f"{4:016x}"),)
)


def scenario(**more: object) -> Scenario:
    flow = Flow(
        "o-1", "a1" * 16, "http://store/trace/a1", proven=True,
        bars=drawing.bars(TRACE), arrows=drawing.arrows(TRACE), spans=5, calls=3,
        mails=[["order_confirmation", "ana@shoppers.example", "Your order"]],
        ledger=[["sales", "-1139", "USD"]], stock=[["MUG-1", "commit", "-2", "-2"]],
    )  # fmt: skip
    told = Scenario(
        "f::ana", "A paid order", "checkout/happy.feature", "Ana buys", 3, "gw0",
        [
            Step("When", "she orders", recording.PASSED, 0.2),
            Step("Then", "it is confirmed", table=[["a cell"]]),
        ],
        seconds=1.5, flows=[flow],
    )  # fmt: skip
    return replace(told, **more)  # type: ignore[arg-type]


def read(*scenarios: Scenario) -> Text:
    return Text(page.render(scenarios, "provider embedded", began=0.0, ended=12.0))


def test_a_scenario_is_shown_with_its_steps_its_flow_and_what_was_booked() -> None:
    shown = read(scenario())

    for words in (
        "All 1 scenarios passed", "A paid order", "Ana buys", "When she orders", "200 ms",
        "not reached", "proven whole", "5 spans", "POST /orders", "ana@shoppers.example",
        "-11.39", "MUG-1", "a cell",
    ):  # fmt: skip
        assert words in shown.text, words


def test_a_failure_is_told_first_and_stands_open() -> None:
    failed = scenario(id="f::bad", outcome=recording.FAILED, failure=FAILURE)

    shown = read(scenario(), failed)

    assert "1 of 2 scenarios failed" in shown.text
    assert FAILURE in shown.text
    assert [a["id"] for t, a in shown.tags if t == "details" and "open" in a] == ["f%3A%3Abad"]


def test_nothing_is_loaded_from_anywhere() -> None:
    shown = read(scenario())

    loading = [a for t, a in shown.tags if t in {"link", "img", "iframe"} or "src" in a]
    assert loading == []
    assert shown.count("script") == 1


def test_hostile_names_are_words_and_nothing_else() -> None:
    hostile = '<script>alert("x")</script>'

    shown = read(scenario(name=hostile, failure=hostile, note=hostile))

    assert shown.count("script") == 1  # Our own.
    assert shown.text.count(hostile) == 4  # Its name also stands among the slowest.


@pytest.mark.parametrize(
    "secret",
    [
        TOKEN,
        f"Authorization: Bearer {'x' * 20}",
        '{"password": "a horse that nobody rides"}',
        "{'refresh_token': 'abcdefgh12345678'}",
        f"paid with {CARD}",
        f"paid with {CARD.replace(' ', '')}",
        "postgresql://postgres:hunter2hunter2@127.0.0.1/x",
        "password=hunter2hunter2",
        "X-Api-Key: hunter2hunter2",
        "{'token': 'hunter2hunter2'}",
        "cvc: hunter2",
        TOKEN[:25],
    ],
)
def test_what_looks_like_a_secret_is_hidden(secret: str) -> None:
    shown = redacted(f"before {secret} after")

    assert HIDDEN in shown
    assert shown.startswith("before ")
    for part in ("eyJ", "xxxx", "horse", "abcdefgh", "4242 4242", "42424242", "hunter2"):
        assert part not in shown


def test_no_text_of_a_line_is_left_out(tmp_path: Path) -> None:
    secret = "plain-word"
    [flow] = scenario().flows
    bars = [replace(flow.bars[0], name=secret)]
    spoilt = scenario(
        feature=secret, name=secret, failure=secret, note=secret,
        steps=[Step("When", secret, table=[[secret]])],
        flows=[replace(flow, page=secret, bars=bars, mails=[[secret]], stock=[[secret]])],
    )  # fmt: skip

    recording.write(tmp_path / "gw0.jsonl", spoilt, {secret, ""})

    written = (tmp_path / "gw0.jsonl").read_text()
    assert secret not in written
    assert written.count(HIDDEN) == 10


def test_identifiers_are_no_secrets() -> None:
    text = f"order 01a20aaa-ad96-7180-8dcb-14a4a47f245b of trace {'4' * 15}a{'2' * 16}"

    assert redacted(text) == text


def test_children_stand_below_their_causes_and_links_are_followed() -> None:
    bars = drawing.bars(Trace((*TRACE.spans, LINKED)))

    assert [(bar.name, bar.depth) for bar in bars] == [
        ("checkout", 0), ("POST /orders", 1), ("publish order.placed", 2),
        ("process order.placed", 3), ("authorize", 4), ("webhook", 5),
    ]  # fmt: skip
    assert [bar.led_by_link for bar in bars] == [False] * 5 + [True]
    assert [bar.failed for bar in bars] == [False] * 4 + [True, False]


def test_an_arrow_goes_from_who_told_to_who_was_told() -> None:
    arrows = drawing.arrows(TRACE)

    assert [(a.sender, a.receiver, a.is_event) for a in arrows] == [
        ("shopper", "order", False), ("order", "inventory", True), ("inventory", "payment", False),
    ]  # fmt: skip
    assert drawing.lanes(arrows) == ["shopper", "order", "inventory", "payment"]


def test_spans_that_cause_one_another_are_shown_all_the_same() -> None:
    circle = Trace((span(1, "order", "a", 2), span(2, "order", "b", 1)))

    assert {bar.name for bar in drawing.bars(circle)} == {"a", "b"}


def test_a_flow_that_is_cut_says_so() -> None:
    [flow] = scenario().flows

    shown = read(scenario(flows=[replace(flow, spans=500, calls=90)]))

    assert "500 spans (the first 5 are shown)" in shown.text
    assert "The first 3 of 90." in shown.text


def test_nothing_is_drawn_of_nothing() -> None:
    assert drawing.bars(Trace(())) == drawing.arrows(Trace(())) == []


def test_what_several_processes_wrote_is_read_as_one(tmp_path: Path) -> None:
    recording.write(tmp_path / "gw0.jsonl", scenario())
    recording.write(tmp_path / "gw1.jsonl", scenario(id="f::other"))

    assert list(recording.read(tmp_path)) == [scenario(), scenario(id="f::other")]


def test_a_line_that_its_process_did_not_live_to_end_is_no_scenario(tmp_path: Path) -> None:
    recording.write(tmp_path / "gw0.jsonl", scenario())
    with (tmp_path / "gw0.jsonl").open("a") as lines:
        lines.write('{"id": "f::ot')

    assert list(recording.read(tmp_path)) == [scenario()]


NOWHERE = Endpoints(
    provider="none", home="", services=dict.fromkeys(("auth", "cart", "catalog", "order"), ""),
    postgres_dsn="", auditor_dsn="open", redis_url="", aws_endpoint_url="", topic_arns={},
    queue_urls={}, dead_letter_queue_urls={}, trace_query_url="http://127.0.0.1:1", otlp_url="",
    payment_provider_url="", payment_provider_api_key="", mailbox_url="", smtp_host="",
    smtp_port=0, jwt_secret="", pids={},
)  # fmt: skip


class Books:
    """A gatherer, as far as a report needs one: it knows every order that it is asked about."""

    def __init__(self, shop: ScenarioShop) -> None:
        self.shop = shop

    def __enter__(self) -> "Books":
        return self

    def __exit__(self, *_: object) -> None: ...

    def traces_of(self, order_ids: Sequence[str]) -> dict[str, str]:
        return {order_id: f"trace of {order_id}" for order_id in order_ids}

    def flows(self, traces: Mapping[str, str], proof: None, *, keep: bool) -> Iterator[Flow]:
        [flow] = scenario().flows
        for order_id in list(traces)[:FLOWS_MAX]:
            yield replace(flow, order_id=order_id, proven=bool(proof), stored={} if keep else None)


@pytest.fixture
def shop() -> Iterator[ScenarioShop]:
    with ScenarioShop(NOWHERE) as shop:
        yield shop


def order(shop: ScenarioShop, order_id: str) -> None:
    now = time.time()
    shop.history.record(Operation("place_order", "ana", Outcome.OK, now, now, order_id=order_id))


def played(report: Report, shop: ScenarioShop, *order_ids: str) -> Any:
    """The node of a scenario in which these orders were placed, as pytest-bdd tells of it."""
    node = SimpleNamespace(nodeid="f::ana", stash=pytest.Stash(), user_properties=[])
    request: Any = SimpleNamespace(node=node)
    step = SimpleNamespace(keyword="When", name="she orders", datatable=None)
    told = SimpleNamespace(name="Ana buys", line_number=3, steps=[step])
    feature = SimpleNamespace(name="A paid order", rel_filename="happy.feature")

    report.pytest_bdd_before_scenario(request, feature, told)
    report.pytest_bdd_before_step()
    for order_id in order_ids:
        order(shop, order_id)
    report.pytest_bdd_after_step(request, told, step, {"shop": shop})
    report.pytest_bdd_after_scenario(request)
    return node


def test_a_scenario_has_its_own_orders_whoever_ordered_before(
    monkeypatch: pytest.MonkeyPatch, shop: ScenarioShop
) -> None:
    """Tests that are no scenarios, and finalizers, write into the same history."""
    monkeypatch.setattr(plugin, "Gatherer", Books)
    config: Any = SimpleNamespace(workerinput={plugin.FOLDER: "unused"})
    report = Report(config, "provider none")
    for number in range(FLOWS_MAX + 1):
        order(shop, f"foreign-{number}")

    first = played(report, shop, "o-1", "o-2", "o-1")
    order(shop, "of-a-finalizer")
    second = played(report, shop, "o-3")

    shown = [[flow.order_id for flow in node.stash[SCENARIO].flows] for node in (first, second)]
    assert shown == [["o-1", "o-2"], ["o-3"]]
    assert first.stash[SCENARIO].note == second.stash[SCENARIO].note == ""
    assert ("orders", "o-1 o-2") in first.user_properties
    assert ("traces", "trace of o-3") in second.user_properties


CONFTEST = """
import json
import os
from pathlib import Path
import pytest
from harness.process.endpoints import Endpoints
from harness.suite.report import plugin
from pytest_bdd import given, then

def pytest_addoption(parser):
    plugin.add_option(parser)

def pytest_configure(config):
    config.pluginmanager.register(plugin.Report(config, "provider none"))

@pytest.fixture(scope="session")
def endpoints():
    return Endpoints.from_json(json.loads(Path("shop.json").read_text()))

@given("a thing")
def thing(): ...

@given("a death")
def death():
    os._exit(3)

@given("a Ctrl-C")
def interrupt():
    raise KeyboardInterrupt

@given("no shop any more")
def leave():
    pytest.exit("there is no shop", pytest.ExitCode.USAGE_ERROR)

@given("nobody to ask")
def skip():
    pytest.skip("external has no such thing")

@pytest.fixture
def broken():
    raise OSError("no shop today")

@then("nothing is set up")
def nothing(broken): ...

@then("it holds")
def holds(): ...

@then("it does not hold")
def holds_not():
    assert "this" == "that", "Bearer abcdefghijklmnop"
"""
FEATURE = """Feature: Things
  Scenario: Good
    Given a thing
      | of brass |
    Then it holds

  Scenario: Bad
    Given a thing
    Then it does not hold
    And it holds

  Scenario: Torn
    Given a thing
    Then nothing is set up
"""
DEADLY = """
  Scenario: Deadly
    Given a death
    Then it holds
"""
NO_SHOP = """
def pytest_sessionstart():
    pytest.exit("there is no shop", pytest.ExitCode.USAGE_ERROR)
"""
BROKEN_SETUP = """
import pytest

@pytest.mark.usefixtures("broken")
def test_no_scenario(): ...
"""


CARELESS = """
from harness.process.home import Home
from pathlib import Path

def test_a_secret_of_the_home(endpoints):
    assert Home(Path(endpoints.home)).secrets(["mailbox"])["mailbox"] == "what failed is shown"

def test_a_secret_of_the_provider(endpoints):
    assert [endpoints.payment_provider_api_key] == ["and this is, too"]

@pytest.fixture
def careless(endpoints):
    raise OSError("before it began: " + endpoints.payment_provider_api_key)

@pytest.mark.usefixtures("careless")
def test_a_secret_in_a_setup(): ...
"""


def what_pytest_said(
    tmp_path: Path, feature: str, *options: str, tests: str = BROKEN_SETUP, conftest: str = CONFTEST
) -> str:
    (tmp_path / "conftest.py").write_text(conftest)
    (tmp_path / "things.feature").write_text(feature)
    (tmp_path / "test_things.py").write_text(
        f"from pytest_bdd import scenarios\nscenarios('things.feature')\n{tests}"
    )
    plugins = ["-p", "pytest_bdd.plugin", "-p", "xdist.plugin", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", *plugins, *options]

    ran = subprocess.run(
        [*command, "--rootdir", str(tmp_path), "--report", "page.html"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip

    return ran.stdout + ran.stderr


def run_of_pytest(tmp_path: Path, feature: str, *options: str, tests: str = BROKEN_SETUP) -> Text:
    said = what_pytest_said(tmp_path, feature, *options, tests=tests)

    assert "report: page.html" in said, said
    return Text((tmp_path / "page.html").read_text())


@pytest.mark.parametrize("processes", ["0", "2"])
def test_a_run_of_pytest_leaves_one_page(tmp_path: Path, processes: str) -> None:
    shown = run_of_pytest(tmp_path, FEATURE, "-n", processes)

    assert "3 of 4 scenarios failed" in shown.text
    assert "And it holds not reached" in shown.text
    assert "of brass" in shown.text
    assert "no shop today" in shown.text
    assert "abcdefghijklmnop" not in shown.text


@pytest.mark.parametrize("processes", ["0", "2"])
def test_a_test_that_is_no_scenario_shows_no_secret_of_the_run_either(
    tmp_path: Path, processes: str
) -> None:
    home = Home(tmp_path / "home")
    home.create()
    made = home.secrets(["jwt", "mailbox"])
    shop = replace(NOWHERE, home=str(home.path), payment_provider_api_key=UNLIKELY)
    (tmp_path / "shop.json").write_text(json.dumps(shop.to_json()))

    shown = run_of_pytest(
        tmp_path, FEATURE, "-n", processes, "-k", "secret", tests=BROKEN_SETUP + CARELESS
    )

    assert "3 of 3 scenarios failed" in shown.text
    for words in ("what failed is shown", "and this is, too", "before it began"):
        assert words in shown.text
    assert [s for s in (*made.values(), UNLIKELY) if s in shown.text] == []


def feature(*given: str) -> str:
    """Its scenarios hold where what is given lets them; two begin with nothing special."""
    told = ("a thing", "a thing", *given)
    return "Feature: Things\n" + "".join(
        f"  Scenario: Number {number}\n    Given {step}\n    Then it holds\n"
        for number, step in enumerate(told, 1)
    )


@pytest.mark.parametrize("step", ["a Ctrl-C", "no shop any more"])
def test_a_run_that_was_broken_off_has_not_passed(tmp_path: Path, step: str) -> None:
    shown = run_of_pytest(tmp_path, feature(step, "a thing"), "-n", "0", tests="")

    assert "Broken off after 2 of 4 scenarios · Cartwright acceptance" in shown.text
    assert "scenarios passed" not in shown.text
    assert ("h1", {"class": "bad"}) in shown.tags


def test_a_run_of_many_processes_that_was_broken_off_has_not_passed(tmp_path: Path) -> None:
    shown = run_of_pytest(tmp_path, feature("a Ctrl-C", "a thing"), "-n", "2", tests="")

    assert re.search(r"Broken off after \d of 4 scenarios", shown.text)


def test_a_run_that_is_broken_off_when_its_scenarios_are_over_says_so_too(tmp_path: Path) -> None:
    tests = "def test_no_scenario(): raise KeyboardInterrupt"

    shown = run_of_pytest(tmp_path, feature(), "-n", "0", tests=tests)

    assert "Broken off after 2 of 2 scenarios" in shown.text


def test_a_run_that_ends_at_its_first_failure_says_how_far_it_came(tmp_path: Path) -> None:
    shown = run_of_pytest(tmp_path, FEATURE, "-n", "0", "-x")

    assert "Broken off after 2 of 3 scenarios, 1 failed" in shown.text


@pytest.mark.parametrize("processes", ["0", "2"])
def test_what_was_skipped_has_not_passed(tmp_path: Path, processes: str) -> None:
    shown = run_of_pytest(tmp_path, feature("nobody to ask"), "-n", processes, tests="")

    assert "2 passed, 1 not run · Cartwright acceptance" in shown.text
    assert ("h1", {}) in shown.tags


@pytest.mark.parametrize("processes", ["0", "2"])
def test_a_run_that_ends_before_any_scenario_leaves_no_page_of_an_earlier_one(
    tmp_path: Path, processes: str
) -> None:
    page, kept = tmp_path / "page.html", tmp_path / "page-failed" / trace_archive.FOLDER
    kept.mkdir(parents=True)
    page.write_text("All 3 scenarios passed")

    what_pytest_said(tmp_path, FEATURE, "-n", processes, "--collect-only")
    is_left_by_who_only_looks = page.exists() and kept.exists()
    said = what_pytest_said(tmp_path, FEATURE, "-n", processes, conftest=CONFTEST + NO_SHOP)

    assert is_left_by_who_only_looks
    assert "there is no shop" in said
    assert not page.exists()
    assert not kept.parent.exists()


def test_the_traces_of_what_failed_stay_when_their_store_is_gone(tmp_path: Path) -> None:
    stored = {
        "resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "a1" * 16, "spanId": "1"}]}]}]
    }
    failed = scenario(flows=[replace(flow, stored=stored) for flow in scenario().flows])
    recording.write(tmp_path / "gw0.jsonl", failed)

    run = keep_traces(recording.read(tmp_path), tmp_path / "page.html")

    assert run == tmp_path / "page-failed"
    entry = trace_archive.find(run / trace_archive.FOLDER, "o-1")
    assert entry
    assert trace_archive.read(run / trace_archive.FOLDER, entry) == Trace.from_otlp(stored)

    assert keep_traces([scenario()], tmp_path / "page.html") is None
    assert trace_archive.find(run / trace_archive.FOLDER, "o-1") is None


def test_who_died_with_its_process_has_not_passed(tmp_path: Path) -> None:
    shown = run_of_pytest(
        tmp_path, FEATURE + DEADLY, "-n", "1", "--max-worker-restart=0", "-k", "good or deadly"
    )

    assert "1 of 2 scenarios failed" in shown.text
    assert "test_deadly" in shown.text
