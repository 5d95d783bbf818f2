"""Structured logs: one JSON object a line on stdout, each with its trace id."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import orjson
import structlog

from common import metrics, tracing

# Never written, whoever passes them: what would let a reader of the log act as somebody else.
SECRET_FIELDS = frozenset({"password", "token", "authorization", "secret", "card_number", "cvc"})

# What exceptions quote: pydantic the input it refuses; PostgreSQL, in its DETAIL, the row.
_QUOTED = re.compile(
    r"(?<=input_value=).*?(?=, input_type=)|(?<=DETAIL: ).*?(?=\n\[SQL|\nCONTEXT:|\n\n|\Z)",
    re.DOTALL,
)


_lost = metrics.meter.create_counter(
    "app.log.lines.lost", "{line}", "Lines that could not be written: a full disk, a closed pipe."
)


class _Stdout:
    """Whatever is stdout when a line is written, so that a test sees what is logged in it.

    A line that cannot be written is counted and lost: nobody's work depends on their log.
    """

    def write(self, text: str) -> int:
        try:
            return sys.stdout.write(text)
        except (OSError, ValueError):  # Full, gone; or closed on our side.
            _lost.add(1)
            return len(text)

    def flush(self) -> None:
        try:
            sys.stdout.flush()
        except (OSError, ValueError):
            _lost.add(1)


# One list for good: a logger that was used keeps the list of then, and is to follow nevertheless.
_processors: list[Any] = []


def _trace_id(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    trace_id = tracing.current_trace_id()
    if trace_id:
        fields["trace_id"] = trace_id
    return fields


def _redact(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name in SECRET_FIELDS & fields.keys():
        fields[name] = "[redacted]"
    return fields


def _without_values(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A traceback says what went wrong and where, but not with whose data."""
    if "exception" in fields:
        fields["exception"] = _QUOTED.sub("[hidden]", fields["exception"])
    return fields


def _json(fields: Any, **options: Any) -> str:
    return orjson.dumps(fields, default=options.get("default", str)).decode()


def install(role: str, level: int = logging.INFO) -> None:
    """Configure structlog, and send the standard library's warnings the same way."""
    origin = {"service": tracing.service_name(), "role": role}

    def add_origin(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        fields.update(origin)
        return fields

    shared: list[Any] = [
        add_origin,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _trace_id,
        _redact,
        structlog.processors.format_exc_info,
        _without_values,
    ]
    stdout = cast("TextIO", _Stdout())
    _processors[:] = [*shared, structlog.processors.JSONRenderer(serializer=_json)]
    structlog.configure(
        processors=_processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(serializer=_json),
            ],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
