"""Where a shopper may be sent back to: only to origins the merchant named beforehand. Pure."""

import re
from urllib.parse import urlsplit

from simulators.payment_provider.rules.refusals import ReturnUrlNotAllowed

# What RFC 3986 lets an address consist of, without the backslash that browsers read as a slash.
ADDRESS = re.compile(r"https?://[A-Za-z0-9\-._~:/?#\[\]!$&'()*+,;=%]{1,2000}")


def require_allowed(url: str, origins: frozenset[str]) -> None:
    """Raises ReturnUrlNotAllowed."""
    if ADDRESS.fullmatch(url) is None or origin_of(url) not in origins:
        raise ReturnUrlNotAllowed


def origin_of(url: str) -> str:
    """Scheme, host and port, compared as text: the same origin written otherwise is refused."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
