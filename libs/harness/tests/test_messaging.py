import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from harness.providers import emulator
from harness.providers.temporary_emulator import temporary_emulator
from harness.topology import messaging
from harness.topology.messaging import Depth, Messaging
from harness.topology.model import Topology, load

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

REPO = Path(__file__).parents[3]
SETTINGS = Config(connect_timeout=2, read_timeout=25, retries={"total_max_attempts": 1})


@pytest.fixture(scope="module")
def endpoint_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    env_dir = emulator.install(REPO, REPO / ".cartwright", emulator.find_uv())
    with temporary_emulator(REPO, env_dir, tmp_path_factory.mktemp("emulator")) as running:
        yield running.endpoint_url


@pytest.fixture(scope="module")
def shop() -> Topology:
    return load(REPO / "infra/topology.yaml")


@pytest.fixture(scope="module")
def sqs(endpoint_url: str) -> "SQSClient":
    session = boto3.session.Session("test", "test", region_name="us-east-1")
    return session.client("sqs", endpoint_url=endpoint_url, config=SETTINGS)


@pytest.fixture(scope="module")
def sns(endpoint_url: str) -> "SNSClient":
    session = boto3.session.Session("test", "test", region_name="us-east-1")
    return session.client("sns", endpoint_url=endpoint_url, config=SETTINGS)


@pytest.fixture
def created(endpoint_url: str, shop: Topology) -> Messaging:
    return messaging.create(shop, endpoint_url)


def subscriptions(sns: "SNSClient", created: Messaging, topic: str) -> dict[str, dict[str, str]]:
    """The attributes of each subscription of the topic, by the name of its queue."""
    listed = sns.list_subscriptions_by_topic(TopicArn=created.topic_arns[topic])["Subscriptions"]
    return {
        it["Endpoint"].rpartition(":")[2]: sns.get_subscription_attributes(
            SubscriptionArn=it["SubscriptionArn"]
        )["Attributes"]
        for it in listed
    }


def changed(shop: Topology, **parts: Any) -> Topology:
    """The shop's topology with some top-level parts replaced."""
    return Topology.model_validate({**shop.model_dump(), **parts})


def test_everything_the_topology_names_is_created(created: Messaging, shop: Topology) -> None:
    assert created.topic_arns.keys() == shop.topics.keys()
    assert created.queue_urls.keys() == shop.queues.keys()
    assert created.dead_letter_queue_urls.keys() == shop.queues.keys()


def test_a_queue_has_the_timeouts_of_the_topology_and_its_dead_letter_queue(
    created: Messaging, sqs: "SQSClient"
) -> None:
    url = created.queue_urls["order-inbox"]

    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]

    assert attributes["VisibilityTimeout"] == "15"
    assert attributes["ReceiveMessageWaitTimeSeconds"] == "20"
    assert attributes["MessageRetentionPeriod"] == "1209600"
    redrive = json.loads(attributes["RedrivePolicy"])
    assert redrive["deadLetterTargetArn"] == created.dead_letter_queue_arns["order-inbox"]
    assert int(redrive["maxReceiveCount"]) == 5


def test_a_subscription_is_raw_filtered_and_has_the_queues_dead_letter_queue(
    created: Messaging, sns: "SNSClient"
) -> None:
    attributes = subscriptions(sns, created, "order-events")["cart-inbox"]

    assert attributes["RawMessageDelivery"] == "true"
    assert json.loads(attributes["FilterPolicy"]) == {"event_type": ["order.confirmed"]}
    arn = created.dead_letter_queue_arns["cart-inbox"]
    assert json.loads(attributes["RedrivePolicy"]) == {"deadLetterTargetArn": arn}


def test_an_event_reaches_exactly_the_queues_that_subscribed_to_its_type(
    created: Messaging, sns: "SNSClient", sqs: "SQSClient", endpoint_url: str
) -> None:
    sns.publish(
        TopicArn=created.topic_arns["order-events"],
        Message="{}",
        MessageAttributes={"event_type": {"DataType": "String", "StringValue": "order.placed"}},
    )

    depths = messaging.depths(endpoint_url, created.queue_urls)

    assert [name for name, depth in depths.items() if depth.visible] == ["inventory-inbox"]
    sqs.purge_queue(QueueUrl=created.queue_urls["inventory-inbox"])


def test_creating_again_changes_nothing(
    created: Messaging, shop: Topology, sns: "SNSClient", endpoint_url: str
) -> None:
    before = subscriptions(sns, created, "inventory-events")

    again = messaging.create(shop, endpoint_url)

    assert again == created
    assert subscriptions(sns, created, "inventory-events") == before
    assert set(before) == {"order-inbox", "catalog-inbox", "payment-inbox"}


def test_a_changed_topology_corrects_what_an_older_one_created(
    created: Messaging, shop: Topology, sqs: "SQSClient", sns: "SNSClient", endpoint_url: str
) -> None:
    queues = {
        **shop.queues,
        "cart-inbox": {"order-events": ("order.cancelled",)},
        "catalog-inbox": {"order-events": ("order.placed",)},
    }
    defaults = {"queue": {**shop.queue_defaults.model_dump(), "visibility_timeout_s": 61}}

    messaging.create(changed(shop, queues=queues, defaults=defaults), endpoint_url)

    found = sqs.get_queue_attributes(
        QueueUrl=created.queue_urls["cart-inbox"], AttributeNames=["VisibilityTimeout"]
    )
    assert found["Attributes"]["VisibilityTimeout"] == "61"
    of_orders = subscriptions(sns, created, "order-events")
    assert json.loads(of_orders["cart-inbox"]["FilterPolicy"]) == {
        "event_type": ["order.cancelled"]
    }
    assert "catalog-inbox" in of_orders
    assert "catalog-inbox" not in subscriptions(sns, created, "inventory-events")
    messaging.create(shop, endpoint_url)


def test_a_strangers_subscription_is_left_alone(
    created: Messaging, shop: Topology, sqs: "SQSClient", sns: "SNSClient", endpoint_url: str
) -> None:
    url = sqs.create_queue(QueueName="somebodys-probe")["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn = found["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=created.topic_arns["auth-events"], Protocol="sqs", Endpoint=arn)

    messaging.create(shop, endpoint_url)

    assert "somebodys-probe" in subscriptions(sns, created, "auth-events")


def test_depths_tell_visible_received_and_delayed_messages_apart(
    sqs: "SQSClient", endpoint_url: str
) -> None:
    url = sqs.create_queue(QueueName="depths")["QueueUrl"]
    for delay_s in (0, 0, 0, 600):
        sqs.send_message(QueueUrl=url, MessageBody="{}", DelaySeconds=delay_s)
    sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)

    depths = messaging.depths(endpoint_url, {"mine": url})

    assert depths == {"mine": Depth(visible=2, in_flight=1, delayed=1)}
    assert depths["mine"].total == 4
