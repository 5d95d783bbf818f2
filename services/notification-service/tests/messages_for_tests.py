"""Messages, as tests of their rules and of their store want them."""

from dataclasses import replace
from datetime import UTC, datetime

from common.db import Database
from common.ids import new_id
from notification.domain.messages import Kind, Message
from notification.store import messages

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def order_message(attempts: int = 0, refusals: int = 0) -> Message:
    """The one of order-1."""
    return Message(
        id="message-1",
        kind=Kind.ORDER_CONFIRMATION,
        fact="order-1",
        order_id="order-1",
        recipient="ada@customer.example",
        subject="Hello",
        text="Hello",
        html="<p>Hello</p>",
        created_at=NOW,
        attempts=attempts,
        refusals=refusals,
    )


def new_message(order_id: str | None = None, recipient: str = "ada@customer.example") -> Message:
    """One of many."""
    order_id = order_id or new_id()
    return replace(
        order_message(),
        id=new_id(),
        fact=order_id,
        order_id=order_id,
        customer_id="customer-1",
        recipient=recipient,
        traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01",
    )


def add(db: Database, *added: Message) -> None:
    with db.transaction() as tx:
        for one in added:
            assert messages.add(tx, one)
