"""What no report shows: tokens, keys, passwords, card numbers. Pure."""

import re
from collections.abc import Collection
from typing import Any

from harness.traces.card_data import card_numbers

HIDDEN = "[hidden]"
# Words that name a secret: `name: value`, `name=value`, quoted or not, as in JSON, headers, URLs.
NAMED = re.compile(
    r"""(?ix)
        (?P<name> [a-z_-]* (?: password|passwd|secret|token|api[-_]?key|authorization|cvc|cvv ))
        (?P<between> ["']? \s* [:=] \s* (?: (?:bearer|basic) \s+ )? )
        (?: "[^"]*" | '[^']*' | [^\s"',;&)}\]]+ )"""
)
UNNAMED = (
    # A JSON Web Token (RFC 7519) begins with the Base64 of `{"`; cut at its end it is one still.
    re.compile(r"\beyJ[\w-]{5,}(?:\.[\w-]*){0,2}"),
    re.compile(r"(?i)(?<=bearer )[\w.~+/=-]{8,}"),
    re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),
)
# A number is hidden in the forms in which people and programs write it.
SEPARATORS = r"[ -]?"


def redacted(text: str, known: Collection[str] = ()) -> str:
    """*text* without secrets. known: those of this run, whatever they look like."""
    for secret in known:
        if secret:
            text = text.replace(secret, HIDDEN)
    for pattern in UNNAMED:
        text = pattern.sub(HIDDEN, text)
    text = NAMED.sub(rf"\g<name>\g<between>{HIDDEN}", text)
    for number in set(card_numbers(text)):
        text = re.sub(SEPARATORS.join(number), f"{HIDDEN} {number[-4:]}", text)
    return text


def without_secrets(document: Any, known: Collection[str] = ()) -> Any:
    """*document*, as JSON has it, with every text in it redacted."""
    if isinstance(document, str):
        return redacted(document, known)
    if isinstance(document, dict):
        return {key: without_secrets(value, known) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [without_secrets(item, known) for item in document]
    return document
