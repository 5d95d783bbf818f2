"""HTTP in, HTTP out: the payment of an order, for staff and for the other services."""

from typing import Any
from uuid import UUID

from common import auth
from common.auth import Role
from common.db import Database
from flask import Blueprint

from payment import use_cases


def payments(db: Database) -> Blueprint:
    bp = Blueprint("payments", __name__)

    @bp.get("/payments/<uuid:order_id>")
    @auth.requires(Role.STAFF, Role.SERVICE)
    def read_payment(order_id: UUID) -> dict[str, Any]:
        with db.transaction() as tx:
            payment = use_cases.payment_of(tx, str(order_id))
        return {
            "order_id": payment.order_id,
            "status": payment.status,
            "amount_minor": payment.amount_minor,
            "currency": payment.currency,
            "decline_code": payment.decline_code,
        }

    return bp
