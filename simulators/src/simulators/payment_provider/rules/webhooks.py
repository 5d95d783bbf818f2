"""What a webhook says, how it is signed and when it is tried. Pure: the queue is elsewhere."""

import hashlib
import hmac
from collections.abc import Sequence

import orjson

from simulators.payment_provider.rules.behaviours import Delivery

# Kept from drumming on a shop that is down: 0.5 s, 1 s, 2 s ... one minute. No jitter: there is
# one sender with few hands, and a run with the same seed should look the same.
BACKOFF_FIRST_MS = 500
BACKOFF_MAX_MS = 60_000


def event(
    id: str,
    type: str,
    created_at: str,
    payment: dict[str, object],
    refund: dict[str, object] | None,
) -> bytes:
    """The body, the same for every attempt. payment: as it was at that moment.

    refund: only for `payment.refunded`.
    """
    subject = {"payment": payment} | ({"refund": refund} if refund else {})
    return orjson.dumps({"id": id, "type": type, "created_at": created_at, "data": subject})


def signature(secrets: Sequence[str], body: bytes, at_s: int) -> str:
    """`t=<unix>,v1=<hex>`, one `v1` for each secret: HMAC-SHA256 of `<unix>.<body>`, as Stripe."""
    signed = f"{at_s}.".encode() + body
    hexes = (hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets)
    return ",".join([f"t={at_s}", *(f"v1={one}" for one in hexes)])


def delays_ms(delivery: Delivery, number: int, late_ms: int) -> tuple[int, ...]:
    """After how long each delivery begins of the payment's `number`th webhook, from 1."""
    match delivery:
        case Delivery.AT_ONCE:
            return (0,)
        case Delivery.LATE:
            return (late_ms,)
        case Delivery.TWICE:
            return (0, 0)
        case Delivery.OUT_OF_ORDER:
            return (late_ms if number % 2 else 0,)
        case Delivery.NEVER:
            return ()


def retry_after_ms(attempts: int) -> int:
    """How long to wait after the `attempts`th attempt failed."""
    doublings = min(attempts - 1, BACKOFF_MAX_MS.bit_length())
    return min(BACKOFF_FIRST_MS << doublings, BACKOFF_MAX_MS)
