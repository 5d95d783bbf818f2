"""Card numbers never reach us (PCI DSS SAQ A): what holds one is refused before it is kept.

Of every service: addresses and headers at its door, JSON bodies as they are read (`bodies`).
"""

from typing import Final

from card_numbers import holds_card_number
from flask import Flask, request

from common.errors import Invalid

# What we keep of a request beside its address and its body. Not User-Agent: a client cannot help
# what its own says, so it is only not kept (`auth.domain.canonical_user_agent`).
KEPT_HEADERS: Final = ("Host", "Idempotency-Key")


class CardNumberRefused(Invalid):
    title = "Card numbers are not accepted here"

    def __init__(self) -> None:
        super().__init__("nothing of it was kept; a card is known here by its provider's token")


def install(app: Flask) -> None:
    """Every request of *app* is refused whose address or headers hold a card number."""

    @app.before_request
    def guard() -> None:
        headers = (request.headers.get(name, "") for name in KEPT_HEADERS)
        refuse_card_numbers(request.path, request.query_string.decode("latin-1"), *headers)


def refuse_card_numbers(*texts: str) -> None:
    """Raises CardNumberRefused if one of *texts* holds one."""
    if holds_card_number("\n".join(texts)):
        raise CardNumberRefused
