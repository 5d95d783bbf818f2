"""Everything that a running shop has written, as passages of text: logs, spans, figures, mails,
messages, tables, copies in Redis. Looks; changes nothing but how often a message was received.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg2
import redis
from psycopg2 import sql

from harness.audit.canaries import Passage
from harness.process.endpoints import Endpoints
from harness.topology import redrive
from harness.traces.card_data import written
from harness.traces.reader import TraceReader
from harness.traces.spans import Span

TRACE_ID = re.compile(r'"trace_id":\s*"([0-9a-f]{32})"')
# The mailbox's own limit of a page.
MAILS_A_PAGE = 1_000
# A store of one machine answers at once; this is for a busy one.
TIMEOUT_S = 10.0
# Rows at a time, so that a large table is not held in memory as a whole.
ROWS_A_BATCH = 1_000
# Some tables are PostgreSQL's own.
TABLES = """
SELECT schemaname, tablename FROM pg_tables
 WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2
"""


def log_files(folder: Path) -> list[Path]:
    """The logs of every process, with those set aside."""
    return sorted(folder.glob("*.log*"))


def logs(folder: Path) -> Iterator[Passage]:
    """Line by line, as they were written, whatever they are encoded in."""
    for file in log_files(folder):
        with file.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, start=1):
                yield Passage("log", f"{file.name}:{number}", line)


def trace_ids(passages: Iterable[Passage]) -> set[str]:
    """Those that the lines of logs name: every request and every handled event has one."""
    return {found for passage in passages for found in TRACE_ID.findall(passage.text)}


def spans(reader: TraceReader, ids: Iterable[str]) -> Iterator[Span]:
    for trace_id in sorted(ids):
        trace = reader.fetch(trace_id)
        yield from trace.spans if trace else ()


def span_texts(found: Iterable[Span]) -> Iterator[Passage]:
    """Names, messages and attributes of spans, of their events, links and resources."""
    for span in found:
        for place, attributes in written(span):
            for key, value in attributes.items():
                where = f"{span.service} {span.span_id} {place} {key}"
                text = str(value, "latin-1") if isinstance(value, bytes) else str(value)
                yield Passage("span", where, f"{key}={text}")


def figures(query_url: str) -> Iterator[Passage]:
    """Every series, as the store has it, and the page that people see."""
    with httpx.Client(base_url=query_url, timeout=TIMEOUT_S) as http:
        for series in http.get("/api/metrics").raise_for_status().json()["metrics"]:
            yield Passage("metric", f"{series['service']} {series['name']}", json.dumps(series))
        yield Passage("metric", "page", http.get("/metrics").raise_for_status().text)


def mails(mailbox_url: str) -> Iterator[Passage]:
    """Headers, text and HTML of every mail."""
    with httpx.Client(base_url=mailbox_url, timeout=TIMEOUT_S) as http:
        for short in _every_mail(http):
            mail = http.get(f"/messages/{short['id']}").raise_for_status().json()
            yield Passage("mail", mail["subject"], json.dumps(mail, ensure_ascii=False))


def _every_mail(http: httpx.Client) -> Iterator[dict[str, Any]]:
    after: int | None = 0
    while after is not None:
        page = http.get("/messages", params={"after": after, "limit": MAILS_A_PAGE})
        body = page.raise_for_status().json()
        yield from body["messages"]
        after = body["next"]


def dead_letters(endpoints: Endpoints) -> Iterator[Passage]:
    """The bodies, which are what somebody sent us; and apart from them our reasons."""
    for name, url in endpoints.dead_letter_queue_urls.items():
        for letter in redrive.look(endpoints.aws_endpoint_url, url):
            yield Passage("dead letter", f"{name} {letter.message_id}", letter.body)
            reason = f"{letter.event_type} {letter.event_id} {letter.reason}"
            yield Passage("dead letter's reason", f"{name} {letter.message_id}", reason)


def tables(auditor_dsn: str) -> Iterator[Passage]:
    """Every row of every service's tables, outboxes and kept answers among them."""
    connection = psycopg2.connect(auditor_dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(TABLES)
            for schema, table in cursor.fetchall():
                name = sql.Identifier(schema, table)
                cursor.execute(sql.SQL("SELECT row_to_json(t)::text FROM {} t").format(name))
                while rows := cursor.fetchmany(ROWS_A_BATCH):
                    for (row,) in rows:
                        yield Passage(f"table of {schema}", table, row)
    finally:
        connection.close()


def copies(redis_url: str) -> Iterator[Passage]:
    """Every key of Redis, with its value."""
    with redis.Redis.from_url(redis_url, socket_timeout=TIMEOUT_S) as client:
        for key in client.scan_iter(count=ROWS_A_BATCH):
            name = str(key, "utf-8", "replace")
            yield Passage("redis", name, f"{name} {_value(client, key)}")


def _value(client: "redis.Redis", key: bytes) -> str:
    """As it was set; DUMP would compress it. Raises KeyError for a type that we do not use."""
    read: dict[bytes | str, Callable[[], Any]] = {
        b"string": lambda: client.get(key),
        b"hash": lambda: client.hgetall(key),
        b"set": lambda: client.smembers(key),
        b"zset": lambda: client.zrange(key, 0, -1),
        b"list": lambda: client.lrange(key, 0, -1),
        b"none": lambda: "",  # It has expired meanwhile.
    }
    return str(read[client.type(key)]())
