"""An address that mail servers have refused for good, written down as the notifications do."""

import uuid

import psycopg2

from harness.process.endpoints import Endpoints

# What a server says of a mailbox that is not there (RFC 3463 §3.2).
NO_SUCH_MAILBOX = "550 5.1.1 no such user"


def refuse_for_good(endpoints: Endpoints, address: str) -> None:
    """From now on nothing is sent to *address*; five real refusals would take fifteen seconds."""
    connection = psycopg2.connect(endpoints.postgres_dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO notification.suppressions (id, address, error, message_id, created_at)"
                " VALUES (%s, %s, %s, %s, now())",
                (str(uuid.uuid4()), address.lower(), NO_SUCH_MAILBOX, str(uuid.uuid4())),
            )
    finally:
        connection.close()
