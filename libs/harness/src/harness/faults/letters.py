"""Messages that no consumer can handle: put on a queue, looked at, set right, and sent back."""

from collections.abc import Collection, Mapping

import psycopg2

from harness.process.endpoints import Endpoints
from harness.topology import messaging, redrive
from harness.topology.redrive import DeadLetter
from harness.topology.summary import SERVICES

NONSENSE = '{"this": "is of nobody"'
# Longer than setting one queue's letters right takes.
HIDDEN_S = 10
BATCH_SIZE = 10
BODIES = " UNION ALL ".join(
    f'SELECT event_id::text, body FROM "{service}".outbox'  # noqa: S608  Constants.
    " WHERE event_id = ANY(%(ids)s::uuid[])"
    for service in SERVICES
)


def put_nonsense(endpoints: Endpoints, queue: str) -> None:
    """Send to *queue*, by the topology's name, what is no event."""
    sqs = messaging.sqs(endpoints.aws_endpoint_url)
    sqs.send_message(QueueUrl=endpoints.queue_urls[queue], MessageBody=NONSENSE)


def kept_aside(endpoints: Endpoints) -> dict[str, list[DeadLetter]]:
    """What lies in each dead-letter queue, by its live queue's name; empty ones are left out."""
    found = {
        name: redrive.look(endpoints.aws_endpoint_url, url)
        for name, url in endpoints.dead_letter_queue_urls.items()
    }
    return {name: letters for name, letters in found.items() if letters}


def throw_away(endpoints: Endpoints, queue: str) -> None:
    """Empty the dead-letter queue of *queue*: of what was in it nothing is to be done."""
    sqs = messaging.sqs(endpoints.aws_endpoint_url)
    sqs.purge_queue(QueueUrl=endpoints.dead_letter_queue_urls[queue])


def set_right(endpoints: Endpoints, queue: str) -> int:
    """Give each letter in the dead-letter queue of *queue* the words that its sender wrote.

    Returns how many. Raises KeyError if one is of nobody's outbox. What is there is deleted only
    after its better copy has come.
    """
    sqs, url = messaging.sqs(endpoints.aws_endpoint_url), endpoints.dead_letter_queue_urls[queue]
    answer = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=BATCH_SIZE,
        VisibilityTimeout=HIDDEN_S,
        MessageAttributeNames=["All"],
    )
    letters = answer.get("Messages", [])
    ids = [letter["MessageAttributes"]["event_id"]["StringValue"] for letter in letters]
    bodies = _bodies(endpoints, ids)
    for letter in letters:
        attributes = letter["MessageAttributes"]
        body = bodies[attributes["event_id"]["StringValue"]]
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)
        sqs.delete_message(QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"])
    return len(letters)


def clear_up(endpoints: Endpoints, garbled: Collection[str]) -> int:
    """Of every dead-letter queue: throw our own nonsense away, and send those of the events
    *garbled* back with their sender's words.

    Sent back as they are, too, are letters without a reason: nobody refused them, and SQS put them
    aside because who had received them died or stood still each time. One that lies here again
    after that, or that a consumer refused, stays for the audit.

    Returns how many were sent back.
    """
    bodies = _bodies(endpoints, garbled)
    return sum(_clear_up(endpoints, queue, bodies) for queue in endpoints.dead_letter_queue_urls)


def _clear_up(endpoints: Endpoints, queue: str, bodies: Mapping[str, str]) -> int:
    """bodies: as their senders wrote them, by the ids of the events that go back."""
    sqs = messaging.sqs(endpoints.aws_endpoint_url)
    dead, live = endpoints.dead_letter_queue_urls[queue], endpoints.queue_urls[queue]
    sent, left = 0, list[str]()
    for letter in redrive.receive(sqs, dead):
        attributes = redrive.kept(letter)
        event_id = attributes["event_id"]["StringValue"] if "event_id" in attributes else ""
        was_refused = redrive.REASON in letter.get("MessageAttributes", {})
        if event_id in bodies or (event_id and not was_refused):
            body = bodies.get(event_id, letter["Body"])
            sqs.send_message(QueueUrl=live, MessageBody=body, MessageAttributes=attributes)
            sent += 1
        elif letter["Body"] != NONSENSE:
            left.append(letter["ReceiptHandle"])
            continue
        sqs.delete_message(QueueUrl=dead, ReceiptHandle=letter["ReceiptHandle"])
    redrive.release(sqs, dead, left)
    return sent


def send_back(endpoints: Endpoints, queue: str) -> int:
    """Redrive all of the dead-letter queue of *queue*; returns how many letters went back."""
    dead, live = endpoints.dead_letter_queue_urls[queue], endpoints.queue_urls[queue]
    return len(list(redrive.redrive(endpoints.aws_endpoint_url, dead, live)))


def _bodies(endpoints: Endpoints, event_ids: Collection[str]) -> Mapping[str, str]:
    """What was written into the outbox for each event, by its id; unknown ids are left out."""
    connection = psycopg2.connect(endpoints.auditor_dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(BODIES, {"ids": list(event_ids)})
            return dict(cursor.fetchall())
    finally:
        connection.close()
