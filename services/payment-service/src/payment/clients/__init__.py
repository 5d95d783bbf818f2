"""The payment provider over HTTP: one method a call, timeouts stated, answers as facts."""

from payment.clients.answers import OutcomeUnknown, Page, RefusedByProvider, Unreadable
from payment.clients.provider import (
    CONNECT_TIMEOUT_S,
    CONNECTIONS,
    READ_TIMEOUT_S,
    WRITE_TIMEOUT_S,
    PaymentProvider,
)

__all__ = [
    "CONNECTIONS",
    "CONNECT_TIMEOUT_S",
    "READ_TIMEOUT_S",
    "WRITE_TIMEOUT_S",
    "OutcomeUnknown",
    "Page",
    "PaymentProvider",
    "RefusedByProvider",
    "Unreadable",
]
