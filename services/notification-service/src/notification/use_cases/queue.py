"""A fact becomes one mail, queued; or visible as one that is not to be sent."""

from datetime import datetime

import structlog
from common import addresses, tracing
from common.ids import new_id
from sqlalchemy import Connection

from notification.domain.messages import Kind, Message, Reason, State
from notification.domain.news import News
from notification.domain.preferences import NEVER_CHOSEN, Choice, language_of
from notification.store import messages, preferences
from notification.use_cases import figures, letters

# After one of these, what the bank wanted to hear is decided.
DECIDING = frozenset({Kind.ORDER_CONFIRMATION, Kind.ORDER_CANCELLATION})

log = structlog.get_logger()


def tell(tx: Connection, news: News, now: datetime) -> None:
    """Queue the mail about *news*, unless there is one already.

    Publishes notification.failed when no mail server could know the recipient.
    """
    to = news.addressee
    chosen = preferences.find(tx, to.customer_id) if to.customer_id else NEVER_CHOSEN
    language = language_of(chosen, to.language)
    rendered = letters.render(news.kind, language, news.values, now.date())
    recipient = addresses.canonical_or_none(to.email)
    reason = _reason_against(tx, news, chosen.choice) if recipient else Reason.NOT_AN_ADDRESS
    message = Message(
        id=new_id(),
        kind=news.kind,
        fact=news.fact,
        language=language,
        order_id=news.order_id,
        customer_id=to.customer_id,
        recipient=recipient or to.email,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        created_at=now,
        state=_state(reason),
        reason=reason,
        traceparent=tracing.current_traceparent(),
    )
    if not messages.add(tx, message):
        log.info("message_known", order_id=news.order_id, kind=news.kind)
        return
    if reason is Reason.NOT_AN_ADDRESS:
        figures.tell_failed(tx, message, reason)
    elif reason is not None:
        figures.count_unwanted(message, reason)
    if news.order_id is not None and news.kind in DECIDING:
        messages.withdraw_challenges(tx, news.order_id)


def _reason_against(tx: Connection, news: News, choice: Choice) -> Reason | None:
    """Why it is not to be sent. Whether the address is suppressed is asked when it is due."""
    if not news.is_wanted(choice):
        return Reason.PREFERENCE
    if news.kind is Kind.ACTION_REQUIRED and messages.is_decided(tx, news.order_id or ""):
        return Reason.OVERTAKEN
    return None


def _state(reason: Reason | None) -> State:
    if reason is None:
        return State.QUEUED
    return State.FAILED if reason is Reason.NOT_AN_ADDRESS else State.SUPPRESSED
