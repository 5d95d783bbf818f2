"""The provider's test cards are cards to whoever looks for them."""

from card_numbers import TEST_CARDS
from simulators.payment_provider.rules import behaviours


def test_every_test_card_is_seen_wherever_it_stands() -> None:
    assert behaviours.TEST_CARDS.keys() <= TEST_CARDS
