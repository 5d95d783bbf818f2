"""What is worth a mail: the facts we hear of, each with the words' values and its name."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from common.money import Money

from notification.domain.messages import Kind
from notification.domain.preferences import Choice

# The reason of a cancellation that the customer has asked for (order.cancelled.v1.json).
REQUESTED: Final = "customer_cancelled"
# Longer than any name in a greeting should be.
GREETING_CHARS_MAX: Final = 50
# Letters of any script, and what stands between them in names. No dot and no slash: whoever
# registers somebody else's address under the name "win.example/now" gets no link mailed by us.
_NAME = re.compile(r"[^\W\d_]+(?:[ '\u2019-][^\W\d_]+)*")
# Long enough for a bank's signed link (payment takes no longer one).
LINK_CHARS_MAX: Final = 2048
_LINK = re.compile(r"[!-~]+")  # RFC 3986 §2: ASCII, and nothing invisible


@dataclass(frozen=True, slots=True)
class Addressee:
    """language: as the event says, if it does. customer_id: a customer's or a guest's."""

    email: str
    customer_id: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class News:
    """One fact for one person.

    fact: its name, unique among those of its kind: half of the mail's Message-ID.
    values: what the templates of its kind read.
    is_wanted: by this choice of the addressee's.
    """

    kind: Kind
    fact: str
    addressee: Addressee
    values: Mapping[str, object]
    order_id: str | None = None
    was_requested: bool = False

    def is_wanted(self, choice: Choice) -> bool:
        return not self.was_requested or choice.requested_cancellations


@dataclass(frozen=True, slots=True)
class BoughtLine:
    name: str
    quantity: int
    unit_price: Money

    @property
    def total(self) -> Money:
        return self.unit_price.times(self.quantity)


@dataclass(frozen=True, slots=True)
class Sums:
    """What the total is made of; None where the order does not tell."""

    total: Money
    subtotal: Money | None = None
    shipping: Money | None = None
    tax: Money | None = None


def welcome(addressee: Addressee, customer_id: str, name: str) -> News:
    """One for each account."""
    return News(Kind.WELCOME, customer_id, addressee, {"name": greeted(name)})


def confirmation(
    addressee: Addressee, order_id: str, lines: tuple[BoughtLine, ...], sums: Sums
) -> News:
    """One for each order."""
    values = {"order_id": order_id, "lines": lines, "sums": sums}
    return News(Kind.ORDER_CONFIRMATION, order_id, addressee, values, order_id)


def cancellation(addressee: Addressee, order_id: str, total: Money, reason: str) -> News:
    """One for each order."""
    values = {"order_id": order_id, "total": total, "reason": reason}
    return News(Kind.ORDER_CANCELLATION, order_id, addressee, values, order_id, reason == REQUESTED)


def challenge(addressee: Addressee, order_id: str, total: Money, action_url: str) -> News:
    """One for each link: a bank that asks again does so at another address."""
    digest = hashlib.sha256(action_url.encode()).hexdigest()[:16]
    values = {"order_id": order_id, "total": total, "action_url": action_url}
    return News(Kind.ACTION_REQUIRED, f"{order_id}.{digest}", addressee, values, order_id)


def refund(
    addressee: Addressee, order_id: str, refund_id: str, amount: Money, *, is_return: bool
) -> News:
    """One for each refund, of which an order may have several."""
    values = {"order_id": order_id, "amount": amount, "is_return": is_return}
    return News(Kind.REFUND, f"{order_id}.{refund_id}", addressee, values, order_id)


def greeted(name: str) -> str | None:
    """*name*, if it can be nothing but a name."""
    fits = len(name) <= GREETING_CHARS_MAX and _NAME.fullmatch(name)
    return name if fits else None


def is_web_link(url: str) -> bool:
    """Whether a mail may ask somebody to follow it: http or https, to a host, as nobody else.

    ``https://bank.example@evil.example/`` reads as the bank's and is not.
    """
    if len(url) > LINK_CHARS_MAX or not _LINK.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        host, user = parts.hostname, parts.username
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(host) and user is None
