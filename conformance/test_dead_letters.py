"""What happens to a message that nobody can handle, and the way back."""

import json

from harness.topology import redrive
from harness.topology.messaging import Depth

from conformance.aws import Aws, entries, event_type


def with_dead_letters(aws: Aws, max_receives: int) -> tuple[str, str]:
    """A queue and its dead-letter queue."""
    dead_letters = aws.queue()
    policy = {"deadLetterTargetArn": aws.arn(dead_letters), "maxReceiveCount": str(max_receives)}
    return aws.queue(RedrivePolicy=json.dumps(policy)), dead_letters


def given_up(aws: Aws) -> tuple[str, str]:
    """A queue and its dead-letter queue, which holds one message that was received five times."""
    inbox, dead_letters = with_dead_letters(aws, max_receives=5)
    aws.sqs.send_message(QueueUrl=inbox, MessageBody="poison", MessageAttributes=event_type())
    for _ in range(5):
        aws.arrived(inbox, VisibilityTimeout=0)
    assert aws.receive(inbox, VisibilityTimeout=0) == []
    aws.settles_at(dead_letters, visible=1)
    return inbox, dead_letters


def test_after_five_receives_a_message_goes_to_the_dead_letter_queue_unchanged(aws: Aws) -> None:
    inbox, dead_letters = given_up(aws)

    [message] = aws.arrived(dead_letters)

    aws.settles_at(inbox)
    assert message["Body"] == "poison"
    assert message["MessageAttributes"] == event_type()
    assert message["Attributes"]["DeadLetterQueueSourceArn"] == aws.arn(inbox)


def test_a_poisonous_message_does_not_keep_the_ones_behind_it(aws: Aws) -> None:
    inbox, dead_letters = with_dead_letters(aws, max_receives=2)
    bodies = [str(i) for i in range(10)]
    aws.sqs.send_message_batch(QueueUrl=inbox, Entries=entries(bodies, "MessageBody"))
    for _ in range(2):
        aws.arrived(inbox, 10, VisibilityTimeout=0)
    aws.send(inbox, "healthy")

    assert aws.bodies(inbox) == ["healthy"]
    aws.settles_at(dead_letters, visible=10)


def test_a_dead_letter_queue_knows_whose_it_is(aws: Aws) -> None:
    inbox, dead_letters = with_dead_letters(aws, max_receives=2)

    sources = aws.sqs.list_dead_letter_source_queues(QueueUrl=dead_letters)

    assert sources["queueUrls"] == [inbox]


def test_sqs_moves_dead_letters_back(aws: Aws) -> None:
    inbox, dead_letters = given_up(aws)

    aws.sqs.start_message_move_task(SourceArn=aws.arn(dead_letters))

    [message] = aws.arrived(inbox)
    assert message["Body"] == "poison"
    assert message["MessageAttributes"] == event_type()
    [task] = aws.sqs.list_message_move_tasks(SourceArn=aws.arn(dead_letters))["Results"]
    assert task["ApproximateNumberOfMessagesMoved"] == 1


def test_the_shop_moves_dead_letters_back_as_new_messages(aws: Aws) -> None:
    inbox, dead_letters = given_up(aws)

    [moved] = redrive.redrive(aws.endpoint_url, dead_letters, inbox)

    [message] = aws.arrived(inbox)
    assert moved.event_type == "order.placed"
    assert message["MessageAttributes"] == event_type()
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    aws.settles_at(dead_letters)


def test_the_shop_looks_at_dead_letters_and_leaves_them_there(aws: Aws) -> None:
    _, dead_letters = given_up(aws)

    [seen] = redrive.look(aws.endpoint_url, dead_letters)

    assert (seen.body, seen.event_type) == ("poison", "order.placed")
    aws.settles_at(dead_letters, visible=1)
    assert aws.depth(dead_letters) == Depth(visible=1, in_flight=0, delayed=0)
