"""What clients send and are shown: shapes, limits and JSON. Decides nothing."""

from typing import Annotated, Any

from common import addresses, paging
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from notification.domain.messages import Kind, Message, State, Suppression, Wanted
from notification.domain.preferences import Choice, Language, Preferences
from notification.use_cases.views import Page

# Two short members, however they are indented.
BODY_BYTES_MAX = 4 * 1024
# As long as an event lets a recipient be; what is no address is kept and shown too.
RECIPIENT_CHARS_MAX = 1000

Recipient = Annotated[
    str,
    StringConstraints(pattern=r"^[^\x00]+$", max_length=RECIPIENT_CHARS_MAX),
    AfterValidator(lambda text: addresses.canonical_or_none(text) or text),
]


class PageIn(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    cursor: str | None = None
    limit: str | None = None

    def place(self) -> tuple[str | None, int]:
        """The id to begin behind, and how many. Raises MalformedCursor, MalformedLimit."""
        limit = paging.read_limit(self.limit)
        if self.cursor is None:
            return None, limit
        return paging.decode_id(self.cursor), limit


class MessagesIn(PageIn):
    state: State | None = None
    kind: Kind | None = None
    recipient: Recipient | None = None

    def to_wanted(self) -> Wanted:
        return Wanted(self.state, self.kind, self.recipient)


class SuppressionsIn(PageIn):
    address: Recipient | None = None


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class MailsIn(Body):
    requested_cancellations: bool


class PreferencesIn(Body):
    language: Annotated[str, StringConstraints(pattern=f"^({'|'.join(Language)})$")]
    mails: MailsIn

    def to_choice(self) -> Choice:
        return Choice(Language(self.language), self.mails.requested_cancellations)


def page_json(page: Page[Any], shown: list[dict[str, Any]]) -> dict[str, Any]:
    cursor = paging.encode(page.next_before) if page.next_before else None
    return {"items": shown, "next_cursor": cursor}


def message_json(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "kind": message.kind,
        "language": message.language,
        "order_id": message.order_id,
        "customer_id": message.customer_id,
        "recipient": message.recipient,
        "subject": message.subject,
        "message_id": message.message_id,
        "state": message.state,
        "reason": message.reason,
        "attempts": message.attempts,
        "last_error": message.last_error,
        "resends": message.resends,
        "created_at": message.created_at,
        "sent_at": message.sent_at,
    }


def full_message_json(message: Message) -> dict[str, Any]:
    return message_json(message) | {"text": message.text, "html": message.html}


def suppression_json(suppression: Suppression) -> dict[str, Any]:
    return {
        "id": suppression.id,
        "address": suppression.address,
        "error": suppression.error,
        "message_id": suppression.message_id,
        "created_at": suppression.created_at,
    }


def preferences_json(preferences: Preferences) -> dict[str, Any]:
    choice = preferences.choice
    return {
        "language": choice.language,
        "mails": {"requested_cancellations": choice.requested_cancellations},
    }
