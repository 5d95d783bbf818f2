"""Card numbers never reach us (PCI DSS SAQ A): what looks like one is refused before it is kept."""

import re
from collections.abc import Iterator

from common.errors import Invalid

# ISO/IEC 7812: 8 to 19 digits; every scheme that shoppers use has 13 or more.
CARD_DIGITS = range(13, 20)
# As people write them: in groups of three to six, e.g. 4-4-4-4 or 4-6-5.
CARD_GROUP_DIGITS = range(3, 7)
_DIGITS = re.compile(r"\d+(?:[ -]\d+)*")  # Of every script: people paste full-width ones.
# Of a program's own making: one row of digits. Ids and moments have letters or dashes around.
_ALONE = re.compile(r"(?<![0-9A-Za-z-])[0-9]{13,19}(?![0-9A-Za-z-])")


class CardNumberRefused(Invalid):
    title = "Card numbers are not accepted here"


def holds_card_number(text: str) -> bool:
    """Whether 13 to 19 digits in *text*, plain or in groups, pass Luhn as card numbers do."""
    return any(
        len(digits) in CARD_DIGITS and _luhn(digits)
        for written in _DIGITS.findall(text)
        for digits in _readings(re.split("[ -]", written))
    )


def holds_plain_card_number(text: str) -> bool:
    """As `holds_card_number`, of what programs write: groups may be parts of a UUID there."""
    return any(_luhn(digits) for digits in _ALONE.findall(text))


def _readings(groups: list[str]) -> Iterator[str]:
    """What a row of digit groups may stand for: all together, each alone, and neighbours."""
    yield "".join(groups)
    yield from groups
    for start in range(len(groups)):
        digits = ""
        for group in groups[start:]:
            digits += group
            if len(group) not in CARD_GROUP_DIGITS or len(digits) >= CARD_DIGITS.stop:
                break
            yield digits


def _luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B."""
    values = [int(digit) for digit in reversed(digits)]
    return (sum(values[::2]) + sum(2 * v - 9 * (v > 4) for v in values[1::2])) % 10 == 0
