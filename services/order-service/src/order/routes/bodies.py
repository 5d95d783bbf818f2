"""What clients send and are shown: shapes, limits and JSON. Decides nothing."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from common import bodies
from common.addresses import Email
from flask import request
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from order import domain
from order.domain import HistoryEntry, Order, OrderStatus, OrderView, Return

# Real baskets have up to 161 lines.
LINES_MAX = 200
# 200 lines of the longest SKUs, generously indented.
BODY_BYTES_MAX = 64 * 1024
# Beyond it, programs that read JSON's numbers as doubles disagree (RFC 8259 §6).
AMOUNT_MINOR_MAX = 2**53 - 1
RETURN_REASONS = ("damaged", "wrong_item", "not_as_described", "unwanted", "other")


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class LineIn(Body):
    sku: Annotated[str, StringConstraints(pattern=domain.SKU_PATTERN)]
    quantity: Annotated[int, Field(ge=1, le=domain.QUANTITY_MAX)]


Lines = Annotated[list[LineIn], Field(min_length=1, max_length=LINES_MAX)]


class QuoteIn(Body):
    lines: Lines


class PlaceOrderIn(QuoteIn):
    email: Email
    payment_method: Annotated[str, StringConstraints(pattern="^pm_[A-Za-z0-9_]{1,64}$")]
    expected_total_minor: Annotated[int, Field(ge=0, le=AMOUNT_MINOR_MAX)] | None = None


class ReturnIn(QuoteIn):
    reason: Annotated[str, StringConstraints(pattern=f"^({'|'.join(RETURN_REASONS)})$")]


class ReceiptIn(Body):
    """Nothing to say: which return stands in the address, and it is taken in whole."""


def _rfc3339(text: str) -> str:
    """pydantic would also take seconds since 1970, which the contract does not promise."""
    if not _DATE_TIME.match(text):
        raise ValueError("a moment as in RFC 3339 is needed")
    return text


def _utc(moment: datetime) -> datetime:
    """PostgreSQL knows no offset of 16 hours or more, which RFC 3339 lets people write."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # At either end of the calendar, where no order is.
        return moment.replace(tzinfo=UTC)


_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:", re.ASCII)
Moment = Annotated[AwareDatetime, BeforeValidator(_rfc3339), AfterValidator(_utc)]


class FilterIn(BaseModel):
    """Of a list. customer_id: for staff."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    status: OrderStatus | None = None
    placed_after: Moment | None = None
    placed_before: Moment | None = None
    customer_id: Annotated[str, StringConstraints(pattern="^[A-Za-z0-9._@-]{1,128}$")] | None = None
    cursor: str | None = None
    limit: str | None = None


def read_order_in() -> PlaceOrderIn:
    """Raises what `common.bodies.read` does, and 413 for a body over BODY_BYTES_MAX."""
    request.max_content_length = BODY_BYTES_MAX
    return bodies.read(PlaceOrderIn)


def order_json(view: OrderView) -> dict[str, Any]:
    return summary(view.order) | {
        "lines": [
            {
                "sku": line.sku,
                "name": line.name,
                "quantity": line.quantity,
                "unit_price_minor": line.unit_price_minor,
            }
            for line in view.lines
        ],
        "history": list(map(entry_json, view.history)),
    }


def entry_json(entry: HistoryEntry) -> dict[str, Any]:
    return {
        "version": entry.version,
        "status": entry.status,
        "event": entry.event,
        "at": entry.at,
    }


def summary(order: Order) -> dict[str, Any]:
    return {
        "id": order.id,
        "status": order.status,
        "cancel_reason": order.cancel_reason,
        "currency": order.currency,
        **totals_json(order.totals),
        "refunded_minor": order.refunded_minor,
        "next_action": {"type": "redirect", "url": order.action_url} if order.action_url else None,
        "placed_at": order.placed_at,
        "updated_at": order.updated_at,
        "version": order.version,
        "settled": order.settled,
    }


def totals_json(totals: domain.Totals) -> dict[str, int]:
    return {
        "subtotal_minor": totals.subtotal_minor,
        "shipping_minor": totals.shipping_minor,
        "tax_minor": totals.tax_minor,
        "total_minor": totals.total_minor,
    }


def return_json(one: Return) -> dict[str, Any]:
    return {
        "id": one.id,
        "status": one.status,
        "reason": one.reason,
        "amount_minor": one.amount_minor,
        "refunded_minor": one.refunded_minor,
        "restocked": one.restocked,
        "requested_at": one.requested_at,
        "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in one.quantities.items()],
    }
