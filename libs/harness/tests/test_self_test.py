"""What is broken in a stack is named by its self-test, and nothing else is."""

import json
from collections.abc import Iterator
from pathlib import Path

import fake_shop
import pytest
from harness import stack
from harness.audit.outside_books import read_mails, read_provider
from harness.audit.settlement import queue_depths
from harness.eventually import eventually
from harness.process import supervisor
from harness.process.endpoints import Endpoints
from harness.providers import emulator
from harness.self_test import messages
from harness.self_test.__main__ import look
from harness.topology import messaging, model
from harness.topology.summary import TOPOLOGY

REPOSITORY = Path(__file__).parents[3]
SHOP = model.load(REPOSITORY / TOPOLOGY)
# The workers run and are idle: they write their line within milliseconds, or seconds on a busy
# machine. Who does not answer is waited for as long as this.
NAMED_WITHIN_S = 10.0
DRAINED_WITHIN_S = 60
TOKEN = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    installed = emulator.install(REPOSITORY, REPOSITORY / ".cartwright", emulator.find_uv())
    (home / "emulator-env").symlink_to(installed)
    return home


@pytest.fixture(scope="module")
def running(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    python_path = fake_shop.write(tmp_path_factory.mktemp("shop"))
    root = tmp_path_factory.mktemp("repository")
    (root / "infra").symlink_to(REPOSITORY / "infra")
    with stack.running(home, repo_root=root, python_path=[python_path]) as endpoints:
        yield endpoints


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not answer here is not quiet: without tables it complains again and again."""
    monkeypatch.setattr(messages, "WITHIN_S", NAMED_WITHIN_S)


def waiting(endpoints: Endpoints) -> dict[str, int]:
    depths = queue_depths(endpoints)
    return {n: d.pending + d.dead for n, d in depths.items() if d.pending + d.dead}


def subscription(endpoints: Endpoints, topic: str, queue: str) -> str:
    listed = messaging.sns(endpoints.aws_endpoint_url).list_subscriptions_by_topic(
        TopicArn=endpoints.topic_arns[topic]
    )["Subscriptions"]
    (found,) = [s["SubscriptionArn"] for s in listed if s["Endpoint"].endswith(f":{queue}")]
    return found


def test_a_stack_that_works_has_tested_itself_and_may_do_so_again(
    running: Endpoints, home: Path
) -> None:
    assert json.loads((home / "self-test.json").read_text()) == []

    assert look(running, REPOSITORY / TOPOLOGY) == []


def test_nothing_of_it_is_in_the_books_or_left_on_a_queue(running: Endpoints) -> None:
    look(running, REPOSITORY / TOPOLOGY)

    key = {"Authorization": f"Bearer {running.payment_provider_api_key}"}
    assert read_provider(running.payment_provider_url, key).payments == {}
    assert read_mails(running.mailbox_url) == {}
    assert waiting(running) == {}


@pytest.mark.usefixtures("soon")
def test_a_subscription_that_is_gone_is_named(running: Endpoints) -> None:
    lost = subscription(running, "payment-events", "order-inbox")
    messaging.sns(running.aws_endpoint_url).unsubscribe(SubscriptionArn=lost)

    (failure,) = messages.look(running, SHOP, TOKEN)

    messaging.create(SHOP, running.aws_endpoint_url)
    assert failure.part == "aws"
    assert failure.reason == "did not deliver payment-events to order-inbox"
    assert f"{running.home}/emulator" in failure.fix


@pytest.mark.usefixtures("soon")
def test_one_event_type_that_does_not_pass_a_filter_is_named(running: Endpoints) -> None:
    narrowed = subscription(running, "order-events", "inventory-inbox")
    messaging.sns(running.aws_endpoint_url).set_subscription_attributes(
        SubscriptionArn=narrowed,
        AttributeName="FilterPolicy",
        AttributeValue='{"event_type": ["order.confirmed", "order.cancelled", "order.returned"]}',
    )

    (failure,) = messages.look(running, SHOP, TOKEN)

    messaging.create(SHOP, running.aws_endpoint_url)
    assert failure.reason == "did not deliver order.placed of order-events to inventory-inbox"


def test_a_worker_that_does_not_consume_is_named(running: Endpoints, home: Path) -> None:
    supervisor.stop(home, "cart-worker")

    (failure,) = messages.look(running, SHOP, TOKEN, NAMED_WITHIN_S)

    assert failure.part == "cart-worker"
    assert failure.reason == ("did not take order-events from cart-inbox, where 1 messages wait")
    supervisor.start(home, "cart-worker")
    eventually(lambda: waiting(running) == {}, DRAINED_WITHIN_S, "the message to be acknowledged")


@pytest.mark.parametrize("process", ["mailbox", "payment-provider"])
def test_a_part_that_is_gone_is_named(running: Endpoints, home: Path, process: str) -> None:
    supervisor.stop(home, process)

    (failure,) = look(running, REPOSITORY / TOPOLOGY)

    supervisor.start(home, process)
    assert failure.part == process
    assert failure.reason.startswith("failed its self-test (ConnectError")


def test_a_service_alone_gets_no_message_that_would_lie_on_anothers_queue(
    running: Endpoints, home: Path
) -> None:
    alone = Endpoints.from_json(
        running.to_json() | {"services": {"order": running.services["order"]}}
    )
    for name in SHOP.services:
        if name != "order":
            supervisor.stop(home, f"{name}-worker")

    failures = messages.look(alone, SHOP, TOKEN)

    assert failures == []
    assert waiting(running) == {}
    for name in SHOP.services:
        supervisor.start(home, f"{name}-worker")
    assert messages.look(running, SHOP, TOKEN) == []  # Whole again: all of them answer.
