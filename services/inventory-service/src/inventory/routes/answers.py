"""What is answered: values of the domain as JSON."""

from dataclasses import asdict

from common import bodies, paging
from flask import Response

from inventory.domain import Audit, Difference, Movement, ReservationView, Stock


def page(items: list[dict[str, object]], last: str | int | None) -> Response:
    cursor = paging.encode(last) if last is not None else None
    return bodies.answer({"items": items, "next_cursor": cursor})


def stock_json(found: Stock) -> dict[str, object]:
    return {
        "sku": found.sku,
        "on_hand": found.on_hand,
        "reserved": found.reserved,
        "available": found.available,
    }


def movement_json(found: Movement) -> dict[str, object]:
    return {name: value for name, value in asdict(found).items() if name != "sku"}


def audit_json(found: Audit) -> dict[str, object]:
    return {
        "skus": found.skus,
        "movements": found.movements,
        "different": found.different,
        "differences": [_difference_json(each) for each in found.differences],
    }


def reservation_json(view: ReservationView) -> dict[str, object]:
    reservation = view.reservation
    return {
        "order_id": reservation.order_id,
        "state": reservation.state,
        "lines": [asdict(line) for line in view.lines],
        "missing": [asdict(each) for each in reservation.missing],
        "created_at": view.created_at,
        "expires_at": view.expires_at,
    }


def _difference_json(found: Difference) -> dict[str, object]:
    known = found.stock_on_hand is not None
    return {
        "sku": found.sku,
        "stock": {"on_hand": found.stock_on_hand, "reserved": found.stock_reserved}
        if known
        else None,
        "book": {"on_hand": found.book_on_hand, "reserved": found.book_reserved},
        "held": found.held,
    }
