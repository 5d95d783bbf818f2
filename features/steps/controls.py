"""Checkouts in which a thing is known to happen: "never" counts only of what can be seen at all."""

from collections.abc import Callable, Iterator

from harness.eventually import eventually
from harness.proof.flow import Flow
from harness.proof.flow_words import WORDS
from harness.proof.flows import Proof
from harness.shopper.client import Line
from harness.shopper.scenario_shop import ScenarioShop

from steps.order import Checkout

ASKED_WITHIN_S = 15.0


class Controls:
    """Makes each kind of checkout once, when the first word asks for it."""

    def __init__(self, shop: ScenarioShop, proof: Proof) -> None:
        self._shop, self._proof = shop, proof
        self._kinds: Iterator[Callable[[], str]] = iter(
            (self._paid, self._declined, self._sold_out, self._asked_by_bank)
        )
        self._made: list[Flow] = []

    def of(self, word: str) -> Flow:
        """A flow in which *word* happens; the last one made if it happens in none."""
        service, name = WORDS[word]
        while True:
            for flow in self._made:
                if flow.trace.find(service=service, name=name):
                    return flow
            kind = next(self._kinds, None)
            if kind is None:
                return self._made[-1]
            self._made.append(self._proof.flow(kind()))

    def _order(self, card: str, *, on_hand: int = 1) -> Checkout:
        checkout = Checkout(
            self._shop.shopper("Control"), [Line(self._shop.sell("control", 100, on_hand), 1)]
        )
        checkout.card = card
        with checkout.shopper.checkout() as checkout.trace_id:
            checkout.place()
            checkout.cancel = checkout.shopper.in_this_trace(
                lambda: checkout.shopper.cancel(checkout.order_id)
            )
        return checkout

    def _paid(self) -> str:
        return self._order("pm_ok").trace_id

    def _declined(self) -> str:
        return self._order("pm_declined").trace_id

    def _sold_out(self) -> str:
        return self._order("pm_ok", on_hand=0).trace_id

    def _asked_by_bank(self) -> str:
        """The customer cancels while the bank waits, so that a hold is asked for and let go."""
        checkout = self._order("pm_3ds_required")
        eventually(
            lambda: checkout.shopper.order(checkout.order_id)["next_action"],
            ASKED_WITHIN_S,
            "the bank's question",
        )
        checkout.cancel()
        return checkout.trace_id
