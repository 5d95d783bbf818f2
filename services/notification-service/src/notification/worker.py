"""Queue entry: `python -m notification.worker`. Queues mails for events, and sends them."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, TypeVar
from uuid import UUID

from common import worker
from common.consumer import Handler
from common.db import Database
from common.events import Event, MalformedEvent
from common.money import Money
from common.worker import Loop
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from sqlalchemy import Connection

from notification import use_cases
from notification.clients import Mailer
from notification.domain import (
    BoughtLine,
    CancelledOrder,
    ConfirmedOrder,
    Outcome,
    Unanswered,
)
from notification.settings import Settings

# PostgreSQL takes no NUL.
_Text = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
Amount = Annotated[int, Field(strict=True, ge=0)]


class MailServerUnavailable(Exception):
    """Raised after all was written down, so that the loop pauses."""


class _Data(BaseModel):
    """As far as the notification service reads it: a producer may add members."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class Line(_Data):
    name: _Text
    quantity: int = Field(strict=True, ge=1)
    unit_price_minor: Amount


class OrderSettled(_Data):
    order_id: UUID
    email: _Text
    total_minor: Amount
    currency: str = Field(pattern=r"^[A-Z]{3}$")

    @property
    def total(self) -> Money:
        return Money(self.total_minor, self.currency)


class OrderConfirmed(OrderSettled):
    """`data` of order.confirmed."""

    lines: list[Line] = Field(min_length=1)


class OrderCancelled(OrderSettled):
    """`data` of order.cancelled."""

    reason: _Text


D = TypeVar("D", bound=_Data)


def on_order_confirmed(tx: Connection, event: Event) -> None:
    told = _read(OrderConfirmed, event)
    lines = tuple(
        BoughtLine(line.name, line.quantity, Money(line.unit_price_minor, told.currency))
        for line in told.lines
    )
    order = ConfirmedOrder(str(told.order_id), told.email, told.total, lines)
    use_cases.confirm_order(tx, order, _now())


def on_order_cancelled(tx: Connection, event: Event) -> None:
    told = _read(OrderCancelled, event)
    order = CancelledOrder(str(told.order_id), told.email, told.total, told.reason)
    use_cases.cancel_order(tx, order, _now())


def _read(model: type[D], event: Event) -> D:
    try:
        return model.model_validate(event.data)
    except ValidationError as error:
        raise MalformedEvent(str(error)) from error


HANDLERS: Mapping[str, Handler] = {
    "order.confirmed": on_order_confirmed,
    "order.cancelled": on_order_cancelled,
}


def _now() -> datetime:
    return datetime.now(UTC)


def send_due(db: Database, mailer: Mailer, clock: Callable[[], datetime] = _now) -> int:
    """Send one batch of mails; return how many were due.

    One transaction claims them, another writes down what became of them; between the two the
    mail server is spoken to and nothing is locked. A crash in between sends again, with the
    same Message-ID, when the claim has expired.
    Raises MailServerUnavailable.
    """
    claimed_at = clock()
    with db.transaction() as tx:
        claimed = use_cases.claim_due(tx, claimed_at)
    if not claimed:
        return 0
    outcomes: dict[str, Outcome] = {}
    for message in claimed:
        outcome = outcomes[message.id] = mailer.send(message)
        late = clock() - claimed_at > use_cases.SENDING_BUDGET
        if late or isinstance(outcome, Unanswered):
            break
    with db.transaction() as tx:
        use_cases.record_outcomes(tx, claimed, outcomes, clock())
    if isinstance(outcome, Unanswered):
        raise MailServerUnavailable(outcome.reason)
    return len(claimed)


def main() -> None:
    worker.install()
    settings = Settings()
    db = Database(settings.database_url.get_secret_value())
    mailer = Mailer(settings.smtp_host, settings.smtp_port, settings.mail_sender)
    mails = Loop("mails", lambda: send_due(db, mailer))
    worker.run(worker.messaging_loops(settings, db, HANDLERS, others=[mails]))
    mailer.close()


if __name__ == "__main__":
    main()
