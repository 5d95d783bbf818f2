"""What each token and each test card makes the provider do. Pure tables; documented in docs/.

A token chooses the behaviour, not a hidden switch, so shoppers do not disturb one another.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Behaviour:
    """How an authorization with this payment method goes."""

    decline_code: str | None = None
    is_slow: bool = False  # the answer comes late, though the payment is recorded at once
    fails_first_call: bool = False  # 500, and no payment; the reference's next call is good
    loses_answer: bool = False  # recorded, but whoever asked first never hears of it


# The part after "pm_" of a well-known token; a minted token stands for one of these too.
BEHAVIOURS = {
    "ok": Behaviour(),
    "declined": Behaviour(decline_code="generic_decline"),
    "insufficient_funds": Behaviour(decline_code="insufficient_funds"),
    "expired_card": Behaviour(decline_code="expired_card"),
    "slow": Behaviour(is_slow=True),
    "timeout_after_charge": Behaviour(loses_answer=True),
    "500_then_ok": Behaviour(fails_first_call=True),
}

WELL_KNOWN_TOKENS = {f"pm_{name}": name for name in BEHAVIOURS}


@dataclass(frozen=True)
class TestCard:
    __test__ = False  # The name of the trade, not a test for pytest to collect.

    brand: str
    behaviour: str  # a key of BEHAVIOURS


# The first six are Stripe's own; the last three have no counterpart there.
TEST_CARDS = {
    "4242424242424242": TestCard("visa", "ok"),
    "5555555555554444": TestCard("mastercard", "ok"),
    "378282246310005": TestCard("amex", "ok"),
    "4000000000000002": TestCard("visa", "declined"),
    "4000000000009995": TestCard("visa", "insufficient_funds"),
    "4000000000000069": TestCard("visa", "expired_card"),
    "4000000000006009": TestCard("visa", "slow"),
    "4000000000006017": TestCard("visa", "timeout_after_charge"),
    "4000000000006025": TestCard("visa", "500_then_ok"),
}
