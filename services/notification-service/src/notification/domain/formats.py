"""Money and days as people write them, by CLDR's rules for the two languages we write.

A library of all of CLDR is 30 MB in memory; these are two separators and twelve names.
"""

from datetime import date

from common.money import Money

from notification.domain.preferences import Language

# Spanish groups no number of four digits (CLDR, minimumGroupingDigits 2).
_SPANISH_GROUPING_MIN = 10_000
_MONTHS_EN = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_MONTHS_ES = (
    "enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre",
    "octubre", "noviembre", "diciembre",
)  # fmt: skip


def money(value: Money, language: Language) -> str:
    """``1,234.50 USD`` or ``1234,50 USD``; two decimals, as every currency of the shop has."""
    units, cents = divmod(value.amount_minor, 100)
    if language is Language.ES:
        whole = f"{units:,}".replace(",", ".") if units >= _SPANISH_GROUPING_MIN else str(units)
        return f"{whole},{cents:02} {value.currency}"
    return f"{units:,}.{cents:02} {value.currency}"


def day(value: date, language: Language) -> str:
    """``January 2, 2026`` or ``2 de enero de 2026``."""
    if language is Language.ES:
        return f"{value.day} de {_MONTHS_ES[value.month - 1]} de {value.year}"
    return f"{_MONTHS_EN[value.month - 1]} {value.day}, {value.year}"
