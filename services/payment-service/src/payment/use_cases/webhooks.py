"""The provider's webhooks: proven, kept and acknowledged at once; looked at by the worker."""

import hashlib
import hmac
import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

import structlog
from common import tracing
from common.card_numbers import refuse_card_numbers
from common.db import Database
from common.errors import IllegalTransition, Malformed
from common.metrics import meter
from opentelemetry import trace
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from payment.clients import PaymentProvider, Unreadable
from payment.store import payments, webhooks
from payment.store.webhooks import Webhook
from payment.use_cases import book_differences, provider_facts

# Stripe's: longer than any clock of ours is wrong, shorter than a stolen webhook is of use.
TOLERANCE_S: Final = 300
# An old and a new secret, or two, during a rotation; more is somebody trying.
SIGNATURES_MAX: Final = 8
HEADER_CHARS_MAX: Final = 1024
# After a fault of ours: long enough for a restart, short enough for a shopper who waits.
RETRY_S: Final = 5.0
# So often; then the comparison of the books has to find it, and a person is told.
ATTEMPTS_MAX: Final = 10
# Longer than any provider goes on sending (three days): an id that comes again is still known.
KEEP_S: Final = 15 * 24 * 3600.0
SWEEP_BATCH: Final = 500

_NUMBER: Final = re.compile(r"[0-9]{1,12}")

log = structlog.get_logger()
_webhooks = meter.create_counter("app.payment.webhooks", unit="{webhook}")


class WebhookSignatureInvalid(Malformed):
    title = "The webhook is not signed as it has to be"


class WebhookIn(BaseModel):
    """As much of it as has to be known before it is looked at."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    id: str = Field(pattern="^[A-Za-z0-9_-]{1,64}$")
    type: str = Field(pattern="^[a-z_]+([.][a-z_]+)+$", max_length=64)
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Signature:
    at_s: int
    hexes: tuple[str, ...]


def verify(header: str | None, body: bytes, secrets: Sequence[str], now_s: float) -> None:
    """Whether one of *secrets* signed `<t>.<body>` now, TOLERANCE_S either way.

    Raises WebhookSignatureInvalid, which never says which check failed: that would be a guide.
    """
    signature = _read(header)
    is_signed = False
    for secret in secrets:
        signed = f"{signature.at_s}.".encode() + body
        expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        for given in signature.hexes:  # All of them, always: how long it takes tells nothing.
            is_signed |= hmac.compare_digest(expected.encode(), given.encode())
    if not is_signed or abs(now_s - signature.at_s) > TOLERANCE_S:
        raise _invalid()


def receive(tx: Connection, body: bytes) -> bool:
    """Keep a webhook whose signature holds; whether it is the first of its id.

    Raises CardNumberRefused, and pydantic's ValidationError if it is not a webhook.
    """
    webhook = WebhookIn.model_validate_json(body)
    refuse_card_numbers(body.decode())
    is_first = webhooks.add(
        tx,
        Webhook(webhook.id, webhook.type, body.decode(), traceparent=tracing.current_traceparent()),
    )
    _webhooks.add(1, {"app.outcome": "accepted" if is_first else "repeated"})
    return is_first


def run_once(db: Database, provider: PaymentProvider) -> int:
    """Look at the webhook that waits longest; 0 if none does. One transaction, one payment."""
    webhook: Webhook | None = None
    try:
        with ExitStack() as committed, db.transaction() as tx:
            webhook = webhooks.next_due(tx)
            if webhook is None:
                return 0
            _take(tx, provider, webhook, committed)
    except Exception as error:
        if webhook is None:
            raise
        _put_off(db, webhook, error)
    return 1


def sweep(db: Database) -> int:
    """Forget what was dealt with long ago; how many went."""
    with db.transaction() as tx:
        return webhooks.sweep(tx, KEEP_S, SWEEP_BATCH)


def _take(
    tx: Connection, provider: PaymentProvider, webhook: Webhook, committed: ExitStack
) -> None:
    """Its span ends with *committed*, which is left after *tx*: it tells what became of it.

    Raises Unreadable.
    """
    fact = provider.webhook(webhook.body)
    try:
        order_id = book_differences.order_id_of(fact)
        payment = payments.find(tx, order_id)
        span = committed.enter_context(
            tracing.resumed_span(
                f"process webhook {webhook.type}",
                payment.traceparent if payment else None,
                caused_by=webhook.traceparent,
                **{"app.webhook.id": webhook.id, "app.order.id": order_id},
            )
        )
        with tx.begin_nested():
            effect = "applied" if provider_facts.apply(tx, order_id, fact) else "stale"
    except IllegalTransition as error:
        trace.get_current_span().record_exception(error)
        book_differences.note(tx, fact.provider_payment_id or "", fact.reference, error)
        webhooks.finish(tx, webhook.id, refused=f"{type(error).__name__}: {error}")
    else:

        @committed.push
        def _(failed: type[BaseException] | None, *_: object) -> None:
            span.set_attribute("app.effect", "rolled_back" if failed else effect)

        webhooks.finish(tx, webhook.id)


def _put_off(db: Database, webhook: Webhook, error: Exception) -> None:
    """What cannot be read will not be read later; anything else is tried again, so often."""
    hopeless = isinstance(error, Unreadable) or webhook.attempts + 1 >= ATTEMPTS_MAX
    # Ours alone are written without what they quote.
    words = f"Unreadable: {error}" if isinstance(error, Unreadable) else type(error).__name__
    with db.transaction() as tx:
        if hopeless:
            webhooks.finish(tx, webhook.id, refused=words)
        else:
            webhooks.postpone(tx, webhook.id, RETRY_S, words)
    level = log.error if hopeless else log.warning
    level("webhook_failed", webhook_id=webhook.id, attempts=webhook.attempts + 1, exc_info=error)


def _read(header: str | None) -> Signature:
    """`t=<unix>,v1=<hex>`, several `v1` allowed; other schemes are not looked at."""
    if not header or len(header) > HEADER_CHARS_MAX or not header.isascii():
        raise _invalid()
    pairs = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    hexes = tuple(value for name, _, value in pairs if name == "v1")
    if len(times) != 1 or not _NUMBER.fullmatch(times[0]):
        raise _invalid()
    if not 1 <= len(hexes) <= SIGNATURES_MAX:
        raise _invalid()
    return Signature(int(times[0]), hexes)


def _invalid() -> WebhookSignatureInvalid:
    _webhooks.add(1, {"app.outcome": "refused"})
    return WebhookSignatureInvalid()
