"""What the book holds, as answers and webhooks show it. Pure."""

from simulators.payment_provider.rules.behaviours import DECLINES
from simulators.payment_provider.rules.payments import Payment
from simulators.payment_provider.storage.book import Refund


def payment_shown(payment: Payment) -> dict[str, object]:
    """A payment as every answer shows it.

    `decline_code` only when declined, with `network_decline_code` where the network has one;
    `next_action` only while the shopper has to act.
    """
    charge = payment.charge
    shown: dict[str, object] = {
        "id": payment.id,
        "status": payment.status.value,
        "reference": charge.reference,
        "payment_method": charge.payment_method,
        "currency": charge.currency,
        "amount_minor": charge.amount_minor,
        "authorized_minor": payment.authorized_minor,
        "captured_minor": payment.captured_minor,
        "voided_minor": payment.voided_minor,
        "refunded_minor": payment.refunded_minor,
        "created_at": payment.created_at,
        "updated_at": payment.updated_at,
    }
    if payment.decline_code is not None:
        shown["decline_code"] = payment.decline_code
    if payment.decline_code in DECLINES:
        shown["network_decline_code"] = DECLINES[payment.decline_code]
    if payment.next_action is not None:
        shown["next_action"] = {"type": "redirect", **vars(payment.next_action)}
    return shown


def refund_shown(refund: Refund) -> dict[str, object]:
    """A refund; `reference` only when the merchant gave one."""
    shown: dict[str, object] = {
        "id": refund.id,
        "payment_id": refund.payment_id,
        "amount_minor": refund.amount_minor,
        "status": "succeeded",
        "created_at": refund.created_at,
    }
    if refund.reference is not None:
        shown["reference"] = refund.reference
    return shown
