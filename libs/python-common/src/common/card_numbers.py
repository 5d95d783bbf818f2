"""Card numbers never reach us (PCI DSS SAQ A): what holds one is refused before it is kept."""

from card_numbers import holds_card_number

from common.errors import Invalid


class CardNumberRefused(Invalid):
    title = "Card numbers are not accepted here"


def refuse_card_numbers(*texts: str, instead: str) -> None:
    """Raises CardNumberRefused, which says what to send *instead*, if one of *texts* holds one."""
    if any(holds_card_number(text) for text in texts):
        raise CardNumberRefused(instead)
