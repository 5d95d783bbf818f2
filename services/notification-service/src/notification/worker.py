"""Queue entry: `python -m notification.worker`. Queues mails for events, and sends them."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import structlog
from common import worker
from common.consumer import Handler
from common.db import Database
from common.events import Event
from common.metrics import meter
from common.money import Money
from common.worker import POLL_S_MAX, Loop
from opentelemetry.metrics import CallbackOptions, Observation
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
)
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from notification.clients import Mailer
from notification.domain import news
from notification.domain.delivery import Outcome, Unanswered, Waiting, in_public
from notification.domain.news import Addressee, BoughtLine, Sums
from notification.settings import Settings
from notification.store.messages import LOOP
from notification.use_cases import mail_delivery, queue

# Ninety days are not over at a second's notice.
SWEEP_EVERY_S = 600.0

log = structlog.get_logger()


def _web_link(url: str) -> str:
    """A mail with any other link would be ours, and not what we want to have written."""
    if not news.is_web_link(url):
        raise ValueError("a link to a web page is needed")
    return url


# PostgreSQL takes no NUL.
_Text = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
CustomerId = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,128}$")]
# Becomes part of a Message-ID (RFC 5322 §3.6.4), on one line with an order's id.
RefundId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Amount = Annotated[int, Field(strict=True, ge=0)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
WebLink = Annotated[str, AfterValidator(_web_link)]


class MailServerUnavailable(Exception):
    """Raised after all was written down, so that the loop pauses."""


class _Data(BaseModel):
    """As far as the notification service reads it: a producer may add members."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    email: _Text
    # Where the producer knows it; of no language that we write, it counts for nothing.
    language: str | None = None


class Line(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    name: _Text
    quantity: int = Field(strict=True, ge=1)
    unit_price_minor: Amount


class CustomerRegistered(_Data):
    """`data` of customer.registered."""

    customer_id: UUID
    name: _Text


class OrderNews(_Data):
    order_id: UUID
    customer_id: CustomerId | None = None
    currency: Currency

    @property
    def addressee(self) -> Addressee:
        return Addressee(self.email, self.customer_id, self.language)

    def money(self, amount_minor: int) -> Money:
        return Money(amount_minor, self.currency)


class OrderConfirmed(OrderNews):
    """`data` of order.confirmed."""

    total_minor: Amount
    subtotal_minor: Amount | None = None
    shipping_minor: Amount | None = None
    tax_minor: Amount | None = None
    lines: list[Line] = Field(min_length=1)

    @property
    def sums(self) -> Sums:
        parts = (self.subtotal_minor, self.shipping_minor, self.tax_minor)
        return Sums(
            self.money(self.total_minor),
            *(self.money(part) if part is not None else None for part in parts),
        )


class OrderCancelled(OrderNews):
    """`data` of order.cancelled."""

    total_minor: Amount
    reason: _Text


class OrderActionRequired(OrderNews):
    """`data` of order.action_required."""

    total_minor: Amount
    action_url: WebLink


class OrderRefunded(OrderNews):
    """`data` of order.refunded."""

    amount_minor: Amount
    refund_id: RefundId
    return_id: UUID | None = None


def on_customer_registered(tx: Connection, event: Event) -> None:
    told = CustomerRegistered.model_validate(event.data)
    customer_id = str(told.customer_id)
    addressee = Addressee(told.email, customer_id, told.language)
    queue.tell(tx, news.welcome(addressee, customer_id, told.name), _now())


def on_order_confirmed(tx: Connection, event: Event) -> None:
    told = OrderConfirmed.model_validate(event.data)
    lines = tuple(
        BoughtLine(line.name, line.quantity, told.money(line.unit_price_minor))
        for line in told.lines
    )
    order_id = str(told.order_id)
    queue.tell(tx, news.confirmation(told.addressee, order_id, lines, told.sums), _now())


def on_order_cancelled(tx: Connection, event: Event) -> None:
    told = OrderCancelled.model_validate(event.data)
    order_id, total = str(told.order_id), told.money(told.total_minor)
    queue.tell(tx, news.cancellation(told.addressee, order_id, total, told.reason), _now())


def on_action_required(tx: Connection, event: Event) -> None:
    told = OrderActionRequired.model_validate(event.data)
    order_id, total = str(told.order_id), told.money(told.total_minor)
    queue.tell(tx, news.challenge(told.addressee, order_id, total, told.action_url), _now())


def on_order_refunded(tx: Connection, event: Event) -> None:
    told = OrderRefunded.model_validate(event.data)
    order_id, amount = str(told.order_id), told.money(told.amount_minor)
    is_return = told.return_id is not None
    paid_back = news.refund(told.addressee, order_id, told.refund_id, amount, is_return=is_return)
    queue.tell(tx, paid_back, _now())


HANDLERS: Mapping[str, Handler] = {
    "customer.registered": on_customer_registered,
    "order.confirmed": on_order_confirmed,
    "order.cancelled": on_order_cancelled,
    "order.action_required": on_action_required,
    "order.refunded": on_order_refunded,
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
        claimed = mail_delivery.claim_due(tx, claimed_at)
        tried = mail_delivery.hold_back(tx, claimed) if claimed else []
    outcome: Outcome | None = None
    outcomes: dict[str, Outcome] = {}
    for message in tried:
        outcome = outcomes[message.id] = mailer.send(message)
        late = clock() - claimed_at > mail_delivery.SENDING_BUDGET
        if late or isinstance(outcome, Unanswered):
            break
    if tried:
        with db.transaction() as tx:
            mail_delivery.record_outcomes(tx, tried, outcomes, clock())
    if isinstance(outcome, Unanswered):
        raise MailServerUnavailable(in_public(outcome))
    return len(claimed)


def sweep(db: Database, clock: Callable[[], datetime] = _now) -> int:
    """Forget one batch of old bodies; return how many."""
    with db.transaction() as tx:
        return mail_delivery.forget_bodies(tx, clock())


def observe(db: Database, clock: Callable[[], datetime] = _now) -> None:
    """How many mails wait, and for how long the oldest: a mail server that is down shows here."""

    def ask() -> Waiting | None:
        try:
            with db.transaction() as tx:
                return mail_delivery.waiting(tx)
        except SQLAlchemyError as error:  # No figure is the truth when the database is away.
            log.info("mails_not_observed", error=type(error).__name__)
            return None

    def count(_: CallbackOptions) -> Iterable[Observation]:
        found = ask()
        return [Observation(found.count)] if found else []

    def oldest(_: CallbackOptions) -> Iterable[Observation]:
        found = ask()
        if found is None:
            return []
        waited_s = (clock() - found.oldest_at).total_seconds() if found.oldest_at else 0.0
        return [Observation(waited_s)]

    meter.create_observable_gauge("app.mails.queued", [count], unit="{mail}")
    meter.create_observable_gauge("app.mails.oldest_age", [oldest], unit="s")


def main() -> None:
    worker.install()
    settings = Settings()
    db = Database(settings.database_url.get_secret_value())
    mailer = Mailer(settings.smtp_host, settings.smtp_port, settings.mail_sender)
    observe(db)
    others = [
        Loop(
            LOOP,
            lambda: send_due(db, mailer),
            every_s=POLL_S_MAX,
            batch_size=mail_delivery.BATCH_SIZE,
        ),
        Loop("bodies", lambda: sweep(db), every_s=SWEEP_EVERY_S),
    ]
    worker.run(worker.messaging_loops(settings, db, HANDLERS, others))
    mailer.close()


if __name__ == "__main__":
    main()
