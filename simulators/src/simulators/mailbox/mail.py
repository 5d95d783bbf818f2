"""What a mail says: its headers, its text, its HTML. Pure: bytes in, strings out, never raises
over what a sender wrote. Keeps no attachments.
"""

import re
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message

# Set by the shop on every mail it sends, so that a test finds it without reading prose.
ORDER_ID_HEADER = "X-Order-Id"
KIND_HEADER = "X-Message-Kind"

# What a reader's mail program would let them follow; a link ends before what only ends a sentence.
_LINK = re.compile(r"https?://[!-~]*[A-Za-z0-9/=&#_~-]")


@dataclass(frozen=True)
class Mail:
    """`headers` in the order and spelling of the mail, decoded (RFC 2047) and unfolded."""

    headers: tuple[tuple[str, str], ...]
    text: str | None
    html: str | None

    def header(self, name: str) -> str | None:
        """The first header of that name, whatever its case; None when absent or empty."""
        found = (value for key, value in self.headers if key.lower() == name.lower())
        return next(found, "").strip() or None


def parse(raw: bytes) -> Mail:
    message = message_from_bytes(raw)
    headers = tuple((_clean(name), _decoded(str(value))) for name, value in message.raw_items())
    return Mail(headers, _body(message, "text/plain"), _body(message, "text/html"))


def links(text: str | None) -> list[str]:
    """The addresses of web pages in a text, each once, in their order."""
    return list(dict.fromkeys(_LINK.findall(text or "")))


def _decoded(value: str) -> str:
    unfolded = "".join(_clean(value).splitlines())
    try:
        return _clean(str(make_header(decode_header(unfolded))))
    except (HeaderParseError, LookupError, ValueError):
        return unfolded  # Not what it claims to be: shown as it came.


def _body(message: Message, content_type: str) -> str | None:
    """The first part of that type that is meant to be read, not saved."""
    for part in message.walk():
        is_readable = not part.is_multipart() and part.get_content_disposition() != "attachment"
        if is_readable and part.get_content_type() == content_type:
            return _part_text(part)
    return None


def _part_text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    content = payload if isinstance(payload, bytes) else b""
    try:
        return _clean(content.decode(part.get_content_charset("utf-8"), "replace"))
    except (LookupError, ValueError):
        return content.decode("utf-8", "replace")


def _clean(text: str) -> str:
    """Bytes that are no UTF-8 become U+FFFD: neither SQLite nor JSON takes a lone surrogate.

    Raises UnicodeEncodeError for a surrogate that stands for no byte, as UTF-7 may contain.
    """
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
