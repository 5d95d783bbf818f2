"""From the outbox to SNS: at least once, in batches, without a cursor.

Unpublished rows are found by `published_at IS NULL`, never by a position after the last one:
positions are taken before commit, so a cursor skips whoever commits late.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog
from opentelemetry.trace import Span, StatusCode
from sqlalchemy import Connection, Row, func, select, update

from common import tracing
from common.db import Database
from common.events import EVENT_BYTES_MAX, outbox

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import PublishBatchRequestEntryTypeDef

# PublishBatch takes ten entries.
BATCH_SIZE = 10
# PublishBatch takes as much in all as one event may have; what is over waits for the next batch.
BATCH_BYTES_MAX = EVENT_BYTES_MAX
# A refused entry is tried again after this long, doubled each time, at most RETRY_S_MAX.
RETRY_S = 0.5
RETRY_S_MAX = 60.0
# By then it is more; after a thousand there would be no such number.
RETRY_DOUBLINGS_MAX = 10
# Asked for many times a second: made once, because to make it costs more than to ask.
_DUE = (
    select(
        outbox.c.position,
        outbox.c.event_id,
        outbox.c.event_type,
        outbox.c.body,
        outbox.c.traceparent,
        outbox.c.attempts,
    )
    .where(outbox.c.published_at.is_(None), outbox.c.next_try_at <= func.now())
    .order_by(outbox.c.position)
    .limit(BATCH_SIZE)
    .with_for_update(skip_locked=True)
)

log = structlog.get_logger()


def run_once(db: Database, sns: "SNSClient", topic_arn: str) -> int:
    """Publish one batch; return how many rows were due.

    The rows stay locked while SNS is asked: a second relay skips them, and a crash
    unlocks them unpublished. So an event may be sent twice and is never lost.
    """
    with db.transaction() as tx:
        rows = _due(tx)
        if rows:
            _publish(tx, sns, topic_arn, rows)
    return len(rows)


def _due(tx: Connection) -> list[Row[Any]]:
    return _within_bytes(list(tx.execute(_DUE)))


def _within_bytes(rows: list[Row[Any]]) -> list[Row[Any]]:
    """As many of *rows*, from the first on, as one request may carry; at least one."""
    size = 0
    for number, row in enumerate(rows):
        size += len(row.body.encode())
        if size > BATCH_BYTES_MAX and number:
            return rows[:number]
    return rows


def _publish(
    tx: Connection,
    sns: "SNSClient",
    topic_arn: str,
    rows: list[Row[Any]],
) -> None:
    topic = topic_arn.rpartition(":")[2]
    spans = {
        row.event_id: tracing.start_publish_span(
            row.event_type, row.event_id, topic, row.traceparent
        )
        for row in rows
    }
    try:
        answer = sns.publish_batch(
            TopicArn=topic_arn,
            PublishBatchRequestEntries=[_entry(row, spans[row.event_id]) for row in rows],
        )
        refused = {entry["Id"]: entry.get("Code", "") for entry in answer.get("Failed", [])}
        for event_id, code in refused.items():
            log.warning("event_refused_by_topic", event_id=event_id, code=code)
            spans[event_id].set_status(StatusCode.ERROR, code)
    except Exception as error:
        for span in spans.values():
            span.set_status(StatusCode.ERROR, type(error).__name__)
        raise
    finally:
        for span in spans.values():
            span.end()
    _mark(tx, [row.position for row in rows if row.event_id not in refused])
    _postpone(tx, [row for row in rows if row.event_id in refused])


def _entry(row: Row[Any], span: Span) -> "PublishBatchRequestEntryTypeDef":
    attributes = {"event_type": row.event_type, "event_id": row.event_id}
    traceparent = tracing.traceparent_of(span) or row.traceparent
    if traceparent:
        attributes["traceparent"] = traceparent
    return {
        "Id": row.event_id,
        "Message": row.body,
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    }


def _mark(tx: Connection, positions: list[int]) -> None:
    if positions:
        tx.execute(
            update(outbox)
            .where(outbox.c.position.in_(positions))
            .values(published_at=func.clock_timestamp(), attempts=outbox.c.attempts + 1)
        )


def _postpone(tx: Connection, rows: list[Row[Any]]) -> None:
    for row in rows:
        delay_s = min(RETRY_S * 2 ** min(row.attempts, RETRY_DOUBLINGS_MAX), RETRY_S_MAX)
        tx.execute(
            update(outbox)
            .where(outbox.c.position == row.position)
            .values(
                attempts=outbox.c.attempts + 1,
                next_try_at=func.now() + timedelta(seconds=delay_s),
            )
        )
