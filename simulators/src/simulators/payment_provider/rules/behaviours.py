"""What each token and each test card makes the provider do. Pure tables; documented in docs/.

A token chooses the behaviour, not a hidden switch, so shoppers do not disturb one another.
"""

from dataclasses import dataclass
from enum import Enum, auto


class Delivery(Enum):
    """How the webhooks of a payment travel."""

    AT_ONCE = auto()
    LATE = auto()  # each of them
    TWICE = auto()  # each of them, the second time right after the first
    OUT_OF_ORDER = auto()  # every other one is late, so that its successor overtakes it
    NEVER = auto()


@dataclass(frozen=True)
class Behaviour:
    """How an authorization with this payment method goes."""

    decline_code: str | None = None  # with a challenge: what becomes of it if it is approved
    is_slow: bool = False  # the answer comes late, though the payment is recorded at once
    fails_first_call: bool = False  # 500, and no payment; the reference's next call is good
    loses_first_call: bool = False  # the same, but the connection is cut
    loses_answer: bool = False  # recorded, but whoever asked first never hears of it
    challenges: bool = False  # 3-D Secure: the shopper has to act first
    bank_is_unreachable: bool = False  # nobody can act: the challenge is never decided
    delivery: Delivery = Delivery.AT_ONCE


# Declines by the names that Visa's and Mastercard's acquirers give them (Stripe's spelling), with
# the response code of ISO 8583 field 39 behind each. Those that need a PIN pad are left out: no
# shop on the internet sees them.
DECLINES = {
    "insufficient_funds": "51",
    "do_not_honor": "05",
    "expired_card": "54",
    "incorrect_cvc": "N7",
    "incorrect_number": "14",
    "lost_card": "41",
    "stolen_card": "43",
    "pickup_card": "04",
    "restricted_card": "62",
    "fraudulent": "59",
    "transaction_not_allowed": "57",
    "card_velocity_exceeded": "65",
    "authentication_required": "1A",
    "call_issuer": "01",
    "invalid_account": "46",
    "security_violation": "63",
    "stop_payment_order": "R0",
    "revocation_of_all_authorizations": "R3",
    "duplicate_transaction": "94",
    "issuer_not_available": "91",
    "processing_error": "96",
}

# Nobody's money: with it, whoever starts the provider looks whether it works. In no list of
# payments, so that nobody's books have to explain it.
SELF_TEST = "pm_self_test"

# The part after "pm_" of a well-known token; a minted token stands for one of these too.
BEHAVIOURS = {
    "ok": Behaviour(),
    "declined": Behaviour(decline_code="generic_decline"),
    **{reason: Behaviour(decline_code=reason) for reason in DECLINES},
    "slow": Behaviour(is_slow=True),
    "timeout_after_charge": Behaviour(loses_answer=True),
    "timeout_without_charge": Behaviour(loses_first_call=True),
    "500_then_ok": Behaviour(fails_first_call=True),
    "webhook_late": Behaviour(delivery=Delivery.LATE),
    "webhook_twice": Behaviour(delivery=Delivery.TWICE),
    "webhook_out_of_order": Behaviour(delivery=Delivery.OUT_OF_ORDER),
    "webhook_never": Behaviour(delivery=Delivery.NEVER),
    "self_test": Behaviour(delivery=Delivery.NEVER),
    "3ds_required": Behaviour(challenges=True),
    "3ds_then_declined": Behaviour(challenges=True, decline_code="generic_decline"),
    "3ds_ignored": Behaviour(challenges=True, bank_is_unreachable=True),
    "3ds_timeout_after_charge": Behaviour(challenges=True, loses_answer=True),
    "3ds_webhook_late": Behaviour(challenges=True, delivery=Delivery.LATE),
    "3ds_webhook_twice": Behaviour(challenges=True, delivery=Delivery.TWICE),
    "3ds_webhook_out_of_order": Behaviour(challenges=True, delivery=Delivery.OUT_OF_ORDER),
    "3ds_webhook_never": Behaviour(challenges=True, delivery=Delivery.NEVER),
}

WELL_KNOWN_TOKENS = {f"pm_{name}": name for name in BEHAVIOURS}


@dataclass(frozen=True)
class TestCard:
    __test__ = False  # The name of the trade, not a test for pytest to collect.

    brand: str
    behaviour: str  # a key of BEHAVIOURS


# Stripe's own, but for those that begin with 4000 0000 0000 60: they have no counterpart there.
TEST_CARDS = {
    "4242424242424242": TestCard("visa", "ok"),
    "5555555555554444": TestCard("mastercard", "ok"),
    "378282246310005": TestCard("amex", "ok"),
    "4000000000000002": TestCard("visa", "declined"),
    "4000000000009995": TestCard("visa", "insufficient_funds"),
    "4000000000000069": TestCard("visa", "expired_card"),
    "4000000000000127": TestCard("visa", "incorrect_cvc"),
    "4000000000000119": TestCard("visa", "processing_error"),
    "4000000000009987": TestCard("visa", "lost_card"),
    "4000000000009979": TestCard("visa", "stolen_card"),
    "4000000000006975": TestCard("visa", "card_velocity_exceeded"),
    "4100000000000019": TestCard("visa", "fraudulent"),
    "4000002760003184": TestCard("visa", "3ds_required"),
    "4000008400001629": TestCard("visa", "3ds_then_declined"),
    "4000000000006009": TestCard("visa", "slow"),
    "4000000000006017": TestCard("visa", "timeout_after_charge"),
    "4000000000006025": TestCard("visa", "500_then_ok"),
}
