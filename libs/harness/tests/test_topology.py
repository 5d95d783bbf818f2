from pathlib import Path

import pytest
from common import consumer
from harness.topology import localstack, summary
from harness.topology.model import TopologyError, load

REPO = Path(__file__).parents[3]

SMALL = """\
defaults:
  queue: {visibility_timeout_s: 60, receive_wait_s: 20, max_receive_count: 5, retention_s: 60}
services:
  order: {port: 8005, topic: order-events}
  cart: {port: 8002, queue: cart-inbox}
infrastructure:
  redis: {port: 6379}
topics:
  order-events: [order.placed, order.confirmed]
queues:
  cart-inbox:
    order-events: [order.confirmed]
"""


def problems(tmp_path: Path, replace: str, by: str) -> str:
    """What `load` says about SMALL after one change, without the file's name."""
    assert SMALL.count(replace) == 1
    path = tmp_path / "topology.yaml"
    path.write_text(SMALL.replace(replace, by))

    with pytest.raises(TopologyError) as raised:
        load(path)

    return str(raised.value).replace(f"{path}:", "")


def test_the_shops_own_topology_is_consistent() -> None:
    shop = load(REPO / "infra/topology.yaml")

    assert shop.services["order"].queue == "order-inbox"
    assert shop.infrastructure["aws"].port == 4566
    assert "order.placed" in shop.topics["order-events"]
    assert shop.queue_defaults.max_receive_count == consumer.RECEIVES_MAX
    assert shop.queue_defaults.visibility_timeout_s == consumer.VISIBILITY_S


def test_every_subscription_is_told_with_its_topic_and_event_types(tmp_path: Path) -> None:
    path = tmp_path / "topology.yaml"
    path.write_text(SMALL)

    subscriptions = list(load(path).subscriptions())

    assert subscriptions == [("order-events", "cart-inbox", ("order.confirmed",))]


def test_a_queue_is_told_its_dead_letter_queue_and_a_stranger_is_not(tmp_path: Path) -> None:
    path = tmp_path / "topology.yaml"
    path.write_text(SMALL)
    small = load(path)

    assert small.dead_letter_queue("cart-inbox") == "cart-inbox-dlq"
    with pytest.raises(KeyError):
        small.dead_letter_queue("no-such-inbox")


def test_a_queue_receives_only_what_its_topic_publishes(tmp_path: Path) -> None:
    said = problems(
        tmp_path, "    order-events: [order.confirmed]", "    order-events: [order.lost]"
    )

    assert said == "12: queues.cart-inbox.order-events: order-events does not publish order.lost"


def test_a_queue_subscribes_only_to_topics_there_are(tmp_path: Path) -> None:
    said = problems(
        tmp_path, "    order-events: [order.confirmed]", "    lost-events: [order.lost]"
    )

    assert said == "12: queues.cart-inbox.lost-events: there is no topic lost-events"


def test_a_service_names_only_queues_and_topics_there_are(tmp_path: Path) -> None:
    said = problems(tmp_path, "queue: cart-inbox", "queue: basket-inbox, topic: basket-events")

    assert said.splitlines()[:2] == [
        "5: services.cart.topic: there is no topic basket-events",
        "5: services.cart.queue: there is no queue basket-inbox",
    ]


def test_a_topic_has_one_publisher(tmp_path: Path) -> None:
    said = problems(tmp_path, "queue: cart-inbox", "queue: cart-inbox, topic: order-events")

    assert said == "9: topics.order-events: belongs to 2 services instead of one"


def test_a_queue_has_a_consumer(tmp_path: Path) -> None:
    said = problems(tmp_path, ", queue: cart-inbox", "")

    assert said == "11: queues.cart-inbox: belongs to 0 services instead of one"


def test_a_port_belongs_to_one_process(tmp_path: Path) -> None:
    said = problems(tmp_path, "port: 6379", "port: 8005")

    assert said == "7: infrastructure.redis.port: port 8005 is already that of order"


def test_a_key_is_there_once(tmp_path: Path) -> None:
    said = problems(tmp_path, "  redis: {port: 6379}", "  redis: {port: 6379}\n  redis: {port: 1}")

    assert said == "8: infrastructure.redis: is there twice"


def test_a_value_out_of_range_is_told_with_its_line(tmp_path: Path) -> None:
    said = problems(tmp_path, "receive_wait_s: 20", "receive_wait_s: 21")

    assert said.startswith("2: defaults.queue.receive_wait_s: ")


def test_a_misspelt_event_type_is_told_with_its_line(tmp_path: Path) -> None:
    said = problems(tmp_path, "[order.placed, order.confirmed]", "[order.placed, OrderConfirmed]")

    assert said.startswith("9: topics.order-events.1: ")


def test_all_contradictions_are_told_at_once(tmp_path: Path) -> None:
    said = problems(tmp_path, "queue: cart-inbox", "queue: basket-inbox")

    assert [line.split(":")[0] for line in said.splitlines()] == ["5", "11"]


def test_a_topology_cannot_be_changed(tmp_path: Path) -> None:
    path = tmp_path / "topology.yaml"
    path.write_text(SMALL)
    small = load(path)

    with pytest.raises(ValueError, match="frozen"):
        small.queue_defaults.receive_wait_s = 1  # type: ignore[misc]


def test_localstacks_script_is_what_the_topology_says() -> None:
    committed = (REPO / "infra/localstack/init-aws.py").read_text()

    assert committed == localstack.render(load(REPO / "infra/topology.yaml"))


def test_the_command_prints_localstacks_script(capsys: pytest.CaptureFixture[str]) -> None:
    localstack.main(["--topology", str(REPO / "infra/topology.yaml")])

    assert capsys.readouterr().out == (REPO / "infra/localstack/init-aws.py").read_text()


def test_the_names_that_auditors_go_by_are_the_topologys() -> None:
    assert set(summary.SERVICES) == set(load(REPO / "infra/topology.yaml").services)
