"""The payment provider over HTTP: one method a call, timeouts stated, answers as facts."""

from payment.clients.answers import (
    NotAsked,
    OutcomeUnknown,
    Page,
    RefusedByProvider,
    Unreadable,
)
from payment.clients.provider import (
    CALL_S_MAX,
    CONNECT_TIMEOUT_S,
    CONNECTIONS,
    FAILURES_MAX,
    OPEN_S,
    READ_TIMEOUT_S,
    WRITE_TIMEOUT_S,
    PaymentProvider,
)

__all__ = [
    "CALL_S_MAX",
    "CONNECTIONS",
    "CONNECT_TIMEOUT_S",
    "FAILURES_MAX",
    "OPEN_S",
    "READ_TIMEOUT_S",
    "WRITE_TIMEOUT_S",
    "NotAsked",
    "OutcomeUnknown",
    "Page",
    "PaymentProvider",
    "RefusedByProvider",
    "Unreadable",
]
