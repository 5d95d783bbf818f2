"""Money: an integer amount of minor units and its currency (ISO 4217). No floats."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Money:
    """``Money(1999, "USD")`` is nineteen dollars and ninety-nine cents."""

    amount_minor: int
    currency: str  # ISO 4217 alphabetic code

    def __add__(self, other: "Money") -> "Money":
        if self.currency != other.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}")
        return Money(self.amount_minor + other.amount_minor, self.currency)

    def times(self, quantity: int) -> "Money":
        return Money(self.amount_minor * quantity, self.currency)

    def __str__(self) -> str:
        """For people and logs; two decimals, as every currency the shop sells in has."""
        return f"{self.amount_minor / 100:.2f} {self.currency}"
