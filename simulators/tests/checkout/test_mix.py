from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from simulators.checkout.mix import (
    ASKING_CARD,
    DECLINING_CARDS,
    GOOD_CARD,
    MIX,
    ODD_CARDS,
    ODD_SHARE,
    ORDERS,
    SPARE,
    Persona,
    Visit,
    stock_levels,
    visits,
)
from simulators.journey.domain import Basket, JourneyLine
from simulators.payment_provider.rules.behaviours import WELL_KNOWN_TOKENS

START = datetime(2017, 5, 1, 8, tzinfo=UTC)


def basket(number: int, *skus: str) -> Basket:
    lines = tuple(JourneyLine(sku, 2) for sku in skus)
    return Basket(f"b-{number}", f"h-{number}", START + timedelta(minutes=number), lines)


MANY = [basket(n, "MUG-1", f"S-{n % 50}") for n in range(1000)]


def test_the_same_seed_deals_the_same_visits() -> None:
    assert visits(MANY, seed=7) == visits(MANY, seed=7)
    assert visits(MANY, seed=7) != visits(MANY, seed=8)


def test_the_shares_are_those_of_the_mix() -> None:
    dealt = [visit.persona for visit in visits(MANY, seed=1)]

    assert round(sum(MIX.values()), 9) == 1.0
    for persona, share in MIX.items():
        assert abs(dealt.count(persona) / len(dealt) - share) < 0.03


def test_every_persona_is_met_in_a_run_of_two_hundred_baskets() -> None:
    assert {visit.persona for visit in visits(MANY[:200], seed=1)} == set(Persona)


def test_the_declined_bring_a_bad_card_and_the_challenged_one_whose_bank_asks() -> None:
    asked = {Persona.CHALLENGED, Persona.CHALLENGE_REFUSER}
    for visit in visits(MANY, seed=1):
        if visit.persona in {Persona.DECLINED, Persona.SECOND_CARD}:
            assert visit.payment_method in DECLINING_CARDS
        else:
            assert visit.payment_method == (ASKING_CARD if visit.persona in asked else GOOD_CARD)


def test_in_a_storm_some_good_money_comes_from_odd_cards_and_nothing_else_changes() -> None:
    calm, stormy = visits(MANY, seed=1), visits(MANY, seed=1, odd_cards=True)
    odd = [visit for visit in stormy if visit.payment_method in ODD_CARDS]

    assert {visit.payment_method for visit in odd} == set(ODD_CARDS)
    assert abs(len(odd) / sum(visit.pays_silently for visit in calm) - ODD_SHARE) < 0.03
    assert [replace(a, payment_method="") for a in calm] == [
        replace(b, payment_method="") for b in stormy
    ]
    assert stormy == visits(MANY, seed=1, odd_cards=True)


def test_every_card_is_one_that_the_provider_knows() -> None:
    assert {GOOD_CARD, ASKING_CARD, *ODD_CARDS, *DECLINING_CARDS} <= WELL_KNOWN_TOKENS.keys()


def test_visits_keep_the_rhythm_of_the_data() -> None:
    first, second, third = visits(MANY[:3], seed=1)

    assert (first.at_s, second.at_s, third.at_s) == (0, 60, 120)


def test_no_baskets_are_no_visits() -> None:
    assert visits([], seed=1) == []


def test_the_shelf_holds_what_is_ordered_twice_and_nothing_for_who_orders_nothing() -> None:
    def visit(number: int, persona: Persona) -> Visit:
        return Visit(basket(number, f"OF-{persona}"), persona, GOOD_CARD, 0.0)

    levels = stock_levels([visit(n, persona) for n, persona in enumerate(Persona)], seed=1)

    times = {persona: (levels[f"OF-{persona}"] - SPARE) // 2 for persona in Persona}
    times = {persona: count for persona, count in times.items() if count >= 0}  # One is short.
    unusual = {persona: count for persona, count in times.items() if count != 1}
    twice, never = (Persona.IMPATIENT, Persona.SECOND_CARD), (Persona.ABANDONER, Persona.BOT)
    assert unusual == dict.fromkeys(twice, 2) | dict.fromkeys(never, 0)


def test_the_shelf_holds_what_is_wanted_but_for_the_scarce() -> None:
    planned = visits(MANY, seed=1)

    levels = stock_levels(planned, seed=1)

    wanted = Counter[str]()
    for visit in planned:
        orders = ORDERS.get(visit.persona, 1)
        wanted.update({sku: orders * quantity for sku, quantity in visit.lines.items()})
    plenty = {sku for sku, level in levels.items() if level == wanted[sku] + SPARE}
    lacking = {sku for sku, level in levels.items() if level < wanted[sku]}
    short = {sku for sku in lacking if levels[sku] == 1}
    scarce = lacking - short
    assert levels.keys() == wanted.keys()
    assert (len(scarce), len(short)) == (1, 1)
    assert lacking | plenty == wanted.keys()
    assert all(visit.lines.get(sku, 0) <= 2 for visit in planned for sku in short)
    assert all(levels[sku] == wanted[sku] // 2 for sku in scarce)
    assert levels == stock_levels(planned, seed=1)
