"""Faults of HTTP, wherever one part of the shop asks another: what a load balancer does on its
bad days. Their names are `harness.faults.http_rules`'.
"""

from collections.abc import Mapping
from functools import partial

from harness.faults.http_rules import HttpFault
from harness.faults.planter import Faults

from simulators.checkout.weather.kinds import Kind, Seam, Target

ASKED = (
    # What shoppers ask for.
    ("order", "POST /orders"),
    ("order", "GET /orders/.*"),
    ("order", "POST /orders/.*/cancellation"),
    ("cart", "PUT /cart"),
    ("auth", "POST /guest-tokens"),
    # What the order service does, for prices. Nobody asks the cart for a quote in a simulation,
    # and so the cart asks neither for prices nor for stock.
    ("catalog", "POST /quotes"),
    # What the payment provider tells.
    ("payment", "POST /webhooks/payment-provider"),
)
# Longer than any service waits for another one (2 s), and shorter than a shopper waits.
LATE_S = 2.5
# One try fewer than a service makes, which is three.
REFUSED_TIMES = 2


def _spoil(
    fault: HttpFault, more: Mapping[str, float], faults: Faults, target: Target, label: str
) -> None:
    faults.spoil_http(fault, target.place, target.request, label=label, **more)


def of_edges() -> list[Kind]:
    told: list[tuple[HttpFault, str, Mapping[str, float]]] = [
        (HttpFault.UNAVAILABLE, "answered 503 twice, not done", {"times": REFUSED_TIMES}),
        (HttpFault.TOO_MANY, "answered 429 twice, not done", {"times": REFUSED_TIMES}),
        (HttpFault.LOSE_ANSWER, "done, and the answer is lost", {}),
        (HttpFault.RESET, "RST before it is done", {}),
        (HttpFault.DELAY, f"done, and answered {LATE_S:g} s late", {"delay_s": LATE_S}),
    ]
    return [
        Kind(
            f"http-{fault}".replace("_", "-"),
            Seam.EDGES,
            says,
            partial(_spoil, fault, more),
            [Target(place=service, request=request) for service, request in ASKED],
            is_in_journal=True,
        )
        for fault, says, more in told
    ]
