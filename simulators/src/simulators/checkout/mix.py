"""Which shopper brings which basket: personas, dealt by seed. Pure.

The baskets are real; who declines, cancels or clicks twice is not in the data and is
invented here, in the open (docs/data.md).
"""

import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from simulators.journey.domain import Basket


class Persona(StrEnum):
    GUEST = "guest"  # pays, and that is it
    RETURNING = "returning"  # has an account and logs in
    DECLINED = "declined"  # the card is refused
    CANCELLER = "canceller"  # changes their mind right after ordering
    DOUBLE_CLICKER = "double_clicker"  # sends the same order twice at once
    RETURNER = "returner"  # brings one piece back, and wants its money
    CHALLENGED = "challenged"  # is asked by the bank (3-D Secure), and says yes
    CHALLENGE_REFUSER = "challenge_refuser"  # is asked, and says no
    IMPATIENT = "impatient"  # orders again in another tab before the first is decided
    SECOND_CARD = "second_card"  # the card is refused; orders again with one that is good
    INDECISIVE = "indecisive"  # changes the cart from two windows, one of which is outdated
    ABANDONER = "abandoner"  # fills the cart and leaves
    BOT = "bot"  # does so, too, and tries meanwhile what nobody may


# Shares of all baskets. Declines: about what card-not-present shops see; the others are
# large enough that each is met in a run of two hundred baskets.
MIX: Mapping[Persona, float] = {
    Persona.GUEST: 0.58,
    Persona.RETURNING: 0.10,
    Persona.DECLINED: 0.05,
    Persona.CANCELLER: 0.05,
    Persona.DOUBLE_CLICKER: 0.04,
    Persona.RETURNER: 0.04,
    Persona.CHALLENGED: 0.03,
    Persona.CHALLENGE_REFUSER: 0.01,
    Persona.IMPATIENT: 0.02,
    Persona.SECOND_CARD: 0.02,
    Persona.INDECISIVE: 0.03,
    Persona.ABANDONER: 0.02,
    Persona.BOT: 0.01,
}
DECLINING_CARDS = ("pm_declined", "pm_insufficient_funds", "pm_expired_card")
GOOD_CARD, ASKING_CARD = "pm_ok", "pm_3ds_required"
# In a storm this share of those who would pay without a word has a card whose bank, or provider,
# answers badly or tells badly; the money is good all the same.
ODD_SHARE = 0.10
ODD_CARDS = (
    *("pm_slow", "pm_500_then_ok", "pm_timeout_after_charge", "pm_timeout_without_charge"),
    *("pm_webhook_late", "pm_webhook_twice", "pm_webhook_out_of_order", "pm_webhook_never"),
)

# Of who does not bring a good one; None: any of those that decline.
CARDS: Mapping[Persona, str | None] = {
    Persona.DECLINED: None,
    Persona.SECOND_CARD: None,  # The first of the two.
    Persona.CHALLENGED: ASKING_CARD,
    Persona.CHALLENGE_REFUSER: ASKING_CARD,
}

# How often who does not order their basket once orders it: what is held for a first order may not
# be back on the shelf when the second comes.
ORDERS: Mapping[Persona, int] = {
    Persona.IMPATIENT: 2,
    Persona.SECOND_CARD: 2,
    Persona.ABANDONER: 0,
    Persona.BOT: 0,
}

# Of the SKUs that are wanted more than once, this share gets only half of what is wanted; and of
# those of which somebody wants several, one fewer than the most that anybody does.
SCARCE_SHARE = 0.02
# Of all others there is this much more than is wanted: a shop does not plan to sell its last.
SPARE = 20


@dataclass(frozen=True, slots=True)
class Visit:
    """One basket brought by one shopper.

    at_s: seconds of the data's own time since the first basket of the run.
    """

    basket: Basket
    persona: Persona
    payment_method: str
    at_s: float

    @property
    def pays_silently(self) -> bool:
        return self.payment_method == GOOD_CARD

    @property
    def lines(self) -> dict[str, int]:
        return {line.sku: line.quantity for line in self.basket.lines}


def stream(seed: int, name: str) -> random.Random:
    """A random stream of its own, so that a draw added to one does not shift the others."""
    return random.Random(f"{seed}/{name}")  # noqa: S311  Seeded on purpose, guards nothing.


def visits(baskets: Sequence[Basket], seed: int, *, odd_cards: bool = False) -> list[Visit]:
    """The same arguments always give the same visits. odd_cards: deal `ODD_CARDS`, too."""
    if not baskets:
        return []
    start = baskets[0].at
    personas = stream(seed, "personas")
    cards = stream(seed, "cards")
    odd = stream(seed, "odd cards")
    dealt = [
        _visit(basket, personas, cards, (basket.at - start).total_seconds()) for basket in baskets
    ]
    return [_with_odd_card(visit, odd) for visit in dealt] if odd_cards else dealt


def _visit(basket: Basket, personas: random.Random, cards: random.Random, at_s: float) -> Visit:
    persona = personas.choices(list(MIX), list(MIX.values()))[0]
    declining = cards.choice(DECLINING_CARDS)
    return Visit(basket, persona, CARDS.get(persona, GOOD_CARD) or declining, at_s)


def _with_odd_card(visit: Visit, odd: random.Random) -> Visit:
    is_odd, card = odd.random() < ODD_SHARE, odd.choice(ODD_CARDS)
    return replace(visit, payment_method=card) if is_odd and visit.pays_silently else visit


def stock_levels(visits: Iterable[Visit], seed: int) -> dict[str, int]:
    """How many of each SKU the shelf holds at the start: enough, but for the scarce ones."""
    wanted = Counter[str]()
    orders = Counter[str]()
    most = Counter[str]()  # in one order
    for visit in visits:
        times = ORDERS.get(visit.persona, 1)
        for sku, quantity in visit.lines.items():
            wanted[sku] += times * quantity
            orders[sku] += times
            most[sku] = max(most[sku], quantity if times else 0)
    repeated = sorted(sku for sku, count in orders.items() if count > 1)
    shelf = stream(seed, "shelf")
    scarce = set(shelf.sample(repeated, round(len(repeated) * SCARCE_SHARE)))
    several = sorted(sku for sku, count in most.items() if count > 1 and sku not in scarce)
    short = set(shelf.sample(several, math.ceil(len(several) * SCARCE_SHARE)))

    def level(sku: str, total: int) -> int:
        if sku in short:
            return most[sku] - 1
        return total // 2 if sku in scarce else total + SPARE

    return {sku: level(sku, total) for sku, total in sorted(wanted.items())}
