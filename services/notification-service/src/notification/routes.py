"""HTTP in, HTTP out. Parses, opens the transaction, calls one use case, renders."""

from uuid import UUID

from common import auth
from common.auth import Role
from common.db import Database
from flask import Blueprint

from notification import use_cases
from notification.domain import Message


def messages(db: Database) -> Blueprint:
    """What was sent about an order, for those who answer its customer's questions."""
    blueprint = Blueprint("messages", __name__)

    @blueprint.get("/orders/<uuid:order_id>/messages")
    @auth.requires(Role.STAFF, Role.SERVICE)
    def read_messages(order_id: UUID) -> dict[str, object]:
        with db.transaction() as tx:
            found = use_cases.read_messages(tx, str(order_id))
        return {
            "order_id": str(order_id),
            "messages": [_message_json(message) for message in found],
        }

    return blueprint


def _message_json(message: Message) -> dict[str, object]:
    return {
        "id": message.id,
        "kind": message.kind,
        "recipient": message.recipient,
        "subject": message.subject,
        "message_id": message.message_id,
        "state": message.state,
        "attempts": message.attempts,
        "last_error": message.last_error,
        "created_at": message.created_at.isoformat(),
        "sent_at": message.sent_at.isoformat() if message.sent_at else None,
    }
