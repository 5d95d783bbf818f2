"""What a customer has chosen: the language, and the one mail that nobody has to get."""

from dataclasses import dataclass
from enum import StrEnum


class Language(StrEnum):
    """ISO 639-1."""

    EN = "en"
    ES = "es"


DEFAULT_LANGUAGE = Language.EN


@dataclass(frozen=True, slots=True)
class Choice:
    """requested_cancellations: whether to confirm a cancellation that the customer asked for.

    The rest is sent to everybody: what was bought (a contract is confirmed on a durable medium,
    Directive 2011/83/EU Art. 8(7)), what the shop cancelled by itself, what the bank wants to
    hear, what was paid back. A welcome is sent before anybody can have chosen anything.
    """

    language: Language = DEFAULT_LANGUAGE
    requested_cancellations: bool = True


@dataclass(frozen=True, slots=True)
class Preferences:
    """version: 0 for a customer who never chose."""

    choice: Choice
    version: int


NEVER_CHOSEN = Preferences(Choice(), 0)


def language_of(preferences: Preferences, told: str | None) -> Language:
    """The customer's own; else what the event says, if we write it; else English."""
    if preferences.version > 0:
        return preferences.choice.language
    return Language(told) if told in set(Language) else DEFAULT_LANGUAGE
