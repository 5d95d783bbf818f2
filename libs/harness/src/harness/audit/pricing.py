"""What an order has to cost, by the shop's published rule; stated here a second time on purpose.

The order service has its own statement of it (ADR-0013). The audit compares the two.
"""

from dataclasses import dataclass

# Minor units of USD. Free from this sum of the goods on.
SHIPPING_MINOR = 599
SHIPPING_FREE_FROM_MINOR = 5_000
# 8 % of the goods, half a cent rounded up, once an order.
TAX_BASIS_POINTS = 800
# ISO 4217: how many digits of an amount are minor units, where it is not two.
EXPONENTS = {"JPY": 0, "KRW": 0, "KWD": 3}


@dataclass(frozen=True, slots=True)
class Totals:
    """In minor units of the order's currency."""

    subtotal_minor: int
    shipping_minor: int
    tax_minor: int

    @property
    def total_minor(self) -> int:
        return self.subtotal_minor + self.shipping_minor + self.tax_minor


def totals(subtotal_minor: int) -> Totals:
    """The rule, for goods of *subtotal_minor* in all."""
    free = subtotal_minor >= SHIPPING_FREE_FROM_MINOR
    tax_minor = (subtotal_minor * TAX_BASIS_POINTS + 5_000) // 10_000
    return Totals(subtotal_minor, 0 if free else SHIPPING_MINOR, tax_minor)


def shown(amount_minor: int, currency: str) -> str:
    """An amount for people: ``210.68 USD``."""
    exponent = EXPONENTS.get(currency, 2)
    return f"{amount_minor / 10**exponent:,.{exponent}f} {currency}".strip()
