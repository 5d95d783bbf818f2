"""HTTP in, HTTP out. Parses, opens the transaction, calls one use case, renders."""

import time
from datetime import datetime
from typing import Any
from uuid import UUID

from common import auth, bodies, idempotency, paging
from common.auth import Role
from common.db import Database
from common.errors import Malformed
from common.idempotency import Answer
from flask import Blueprint, Response, request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from payment.domain import Payment, PaymentStatus, Refund
from payment.settings import Settings
from payment.use_cases import payments as paying
from payment.use_cases import reconciliation, refunds, webhooks
from payment.use_cases.payments import Listed, PaymentView

# A refund is a number and a sentence.
REFUND_BYTES_MAX = 4 * 1024
# A payment with its refund takes one kilobyte: what is longer is none.
WEBHOOK_BYTES_MAX = 64 * 1024
REASON_CHARS_MAX = 200
# Every integer JSON carries unharmed (RFC 8259 §6); what was captured is the limit that counts.
AMOUNT_MINOR_MAX = 2**53 - 1

PEOPLE = (Role.GUEST, Role.CUSTOMER, Role.STAFF)


class MalformedFilter(Malformed):
    title = "The filter is not one of ours"


# A line of text: no control characters, no blanks around it.
REASON_PATTERN = r"^[^\x00-\x20\x7f]([^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?$"


class RefundIn(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    amount_minor: int = Field(ge=1, le=AMOUNT_MINOR_MAX)
    reason: str = Field(pattern=REASON_PATTERN, max_length=REASON_CHARS_MAX)


def payments(db: Database) -> Blueprint:
    bp = Blueprint("payments", __name__)

    @bp.get("/payments")
    @auth.requires(Role.STAFF)
    def list_payments() -> Response:
        _only("attention", "limit", "cursor")
        attention = _flag("attention")
        limit, before = paging.read_limit(request.args.get("limit")), _before()
        with db.transaction() as tx:
            found, following = paying.page(tx, before, limit, attention=attention)
        items = [_listed(one) for one in found]
        return bodies.answer({"items": items, "next_cursor": _cursor(following)})

    @bp.get("/payments/<uuid:order_id>")
    @auth.requires(*PEOPLE)
    def read_payment(order_id: UUID) -> Response:
        with db.transaction() as tx:
            view = paying.payment_of(tx, str(order_id), _owner())
        return bodies.answer(_shown(view))

    @bp.post("/payments/<uuid:order_id>/refunds")
    @auth.requires(Role.STAFF)
    def refund_payment(order_id: UUID) -> Response:
        request.max_content_length = REFUND_BYTES_MAX
        staff_id = auth.caller().id
        key = idempotency.read_key(request.headers.get("Idempotency-Key"))
        asked = bodies.read(RefundIn)
        print_ = idempotency.fingerprint(request.path, asked.model_dump())

        def refund(tx: Connection) -> Answer:
            payment, made, at = refunds.refund_by_staff(
                tx, str(order_id), asked.amount_minor, asked.reason, staff_id
            )
            shown = {"order_id": payment.order_id} | _refund(payment, made, at)
            return Answer.of(shown, 202, f"/payments/{payment.order_id}")

        with db.transaction() as tx:
            stored = idempotency.once(tx, staff_id, key, print_, refund)
        return stored.render()

    @bp.get("/reconciliation")
    @auth.requires(Role.STAFF)
    def read_reconciliation() -> Response:
        _only("limit", "cursor")
        limit, after = paging.read_limit(request.args.get("limit")), _after()
        with db.transaction() as tx:
            run = reconciliation.last_run(tx)
            found, following = reconciliation.open_differences(tx, after, limit)
        differences = {
            "items": [_difference(one) for one in found],
            "next_cursor": None if following is None else paging.encode(following),
        }
        return bodies.answer({"last_run": _run(run), "open_differences": differences})

    return bp


def provider_webhooks(db: Database, settings: Settings) -> Blueprint:
    """Where the provider tells what became of a payment; its signature is all it needs."""
    bp = Blueprint("webhooks", __name__)

    @bp.post("/webhooks/payment-provider")
    @auth.public
    def receive_webhook() -> Response:
        request.max_content_length = WEBHOOK_BYTES_MAX
        body = request.get_data()  # As it came: what was signed is bytes, not what they mean.
        signature = request.headers.get("Provider-Signature")
        webhooks.verify(signature, body, settings.webhook_secrets, time.time())
        bodies.check(body)
        with db.transaction() as tx:
            is_first = webhooks.receive(tx, body)
        return bodies.answer({"received": True, "repeated": not is_first})

    return bp


def _owner() -> str | None:
    """Whose the payment has to be; None for those who may see all."""
    caller = auth.caller()
    return None if caller.role is Role.STAFF else caller.id


def _only(*names: str) -> None:
    """Raises MalformedFilter: a filter we do not know would be one that silently does nothing, and
    one that is given twice is read differently by whoever stands before us.
    """
    unknown = set(request.args) - set(names)
    twice = [name for name, values in request.args.lists() if len(values) > 1]
    if unknown or twice:
        raise MalformedFilter(f"known are {', '.join(names)}, each at most once")


def _flag(name: str) -> bool:
    raw = request.args.get(name, "false")
    if raw not in {"true", "false"}:
        raise MalformedFilter(f"{name} is true or false")
    return raw == "true"


def _before() -> str | None:
    cursor = request.args.get("cursor")
    return None if cursor is None else paging.decode_id(cursor)


def _after() -> int | None:
    cursor = request.args.get("cursor")
    return None if cursor is None else int(paging.decode(cursor, int)[0])


def _cursor(id_: str | None) -> str | None:
    return None if id_ is None else paging.encode(id_)


def _shown(view: PaymentView) -> dict[str, Any]:
    payment = view.payment
    return _summary(payment, view.created_at, view.updated_at) | {
        "captured_minor": view.balance.captured_minor,
        "refunded_minor": view.balance.refunded_minor,
        "next_action": _next_action(payment),
        "refunds": [_refund(payment, refund, at) for refund, at in view.refunds],
    }


def _listed(one: Listed) -> dict[str, Any]:
    waits = one.operation
    return _summary(one.payment, one.created_at, one.updated_at) | {
        "waits_for": None
        if waits is None
        else {
            "operation": waits.kind,
            "attempts": waits.attempts,
            "outcome": waits.outcome,
            "last_error": waits.last_error,
            "since": waits.since,
        }
    }


def _summary(payment: Payment, created_at: datetime, updated_at: datetime) -> dict[str, Any]:
    return {
        "order_id": payment.order_id,
        "payment_id": payment.id,
        "status": payment.status,
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
        "decline_code": payment.decline_code,
        "created_at": created_at,
        "updated_at": updated_at,
    }


def _next_action(payment: Payment) -> dict[str, Any] | None:
    """Nothing helps any more once the order is being cancelled."""
    waits = payment.status is PaymentStatus.ACTION_REQUIRED and not payment.void_requested
    if payment.action is None or not waits:
        return None
    return {
        "type": "redirect",
        "url": payment.action.url,
        "expires_at": payment.action.expires_at,
    }


def _refund(payment: Payment, refund: Refund, at: datetime) -> dict[str, Any]:
    return {
        "refund_id": refund.id,
        "return_id": refund.return_id,
        "amount_minor": refund.amount_minor,
        "currency": payment.currency,
        "reason": refund.reason,
        "status": "succeeded" if refund.succeeded else "requested",
        "created_at": at,
    }


def _run(run: reconciliation.Run | None) -> dict[str, Any] | None:
    if run is None:
        return None
    return {
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "compared": run.compared,
        "healed": run.healed,
        "differences": run.differences,
        "error": run.error,
    }


def _difference(one: reconciliation.Difference) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "detail": one.detail,
        "order_id": one.order_id,
        "provider_payment_id": one.provider_payment_id,
        "found_at": one.found_at,
    }
