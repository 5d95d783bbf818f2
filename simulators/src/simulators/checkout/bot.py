"""A shopper who is none: tries at the shop's own doors what nobody may, one thing after another.

Buys nothing and changes nothing, if the shop is right. That all was refused is for the audit to
say; what came of a try that was not answered, or put off, is not known.
"""

import base64
import random
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx
from harness.shopper.caller import Caller
from harness.shopper.client import Shopper
from harness.shopper.history import ATTEMPT, Operation, Outcome

PUT_OFF = frozenset({httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS})
# Of a JSON Web Token: what says that it needs no signature (RFC 8725 §2.1).
UNSIGNED = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")


def _forged(token: str) -> str:
    """With the first character of its signature changed: all of its bits count."""
    head, _, signature = token.rpartition(".")
    return f"{head}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def _unsigned(token: str) -> str:
    return f"{UNSIGNED}.{token.split('.')[1]}."


def _nobodys(_: str) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """path, body: ``{order}`` is somebody else's order, ``{sku}`` something of the bot's basket.

    token: what the bot shows for its own.
    """

    what: str
    method: str
    service: str
    path: str
    body: Mapping[str, Any] | None = None
    token: Callable[[str], str] = str


def _order(**line: Any) -> dict[str, Any]:
    paid = {"email": "bot@shoppers.example", "payment_method": "pm_ok"}
    return {**paid, "lines": [{"sku": "{sku}", "quantity": 1, **line}]}


ONE_PIECE = {"sku": "{sku}", "quantity": 1}
ATTEMPTS = (
    Attempt("read another's order", "GET", "order", "/orders/{order}"),
    Attempt("cancel another's order", "POST", "order", "/orders/{order}/cancellation"),
    Attempt(
        *("send another's goods back", "POST", "order", "/orders/{order}/returns"),
        {"lines": [ONE_PIECE], "reason": "unwanted"},
    ),
    Attempt("read another's mails", "GET", "notification", "/orders/{order}/messages"),
    Attempt("read everybody's mails", "GET", "notification", "/messages"),
    Attempt("read another's payment", "GET", "payment", "/payments/{order}"),
    Attempt(
        *("have another's payment paid back", "POST", "payment", "/payments/{order}/refunds"),
        {"amount_minor": 1, "reason": "goodwill"},
    ),
    Attempt(
        *("speak for the payment provider", "POST", "payment", "/webhooks/payment-provider"),
        {"id": "evt_1", "type": "payment.voided", "data": {"reference": "{order}"}},
    ),
    Attempt(
        *("put goods on a shelf", "POST", "inventory", "/stock/receipts"),
        {"lines": [ONE_PIECE], "note": "found"},
    ),
    Attempt("read what is on all shelves", "GET", "inventory", "/stock"),
    Attempt("take a product off sale", "DELETE", "catalog", "/products/{sku}"),
    Attempt(
        "order at a price of one's own", "POST", "order", "/orders", _order(unit_price_minor=1)
    ),
    Attempt("order less than nothing", "POST", "order", "/orders", _order(quantity=-1)),
    Attempt("order more than there can be", "POST", "order", "/orders", _order(quantity=10**12)),
    Attempt(
        "fill a cart with less than nothing",
        "PUT",
        "cart",
        "/cart",
        {"lines": [{**ONE_PIECE, "quantity": -1}]},
    ),
    Attempt("order as nobody", "POST", "order", "/orders", _order(), token=_nobodys),
    Attempt("order with a forged token", "POST", "order", "/orders", _order(), token=_forged),
    Attempt("order with an unsigned token", "POST", "order", "/orders", _order(), token=_unsigned),
)


def attack(
    shopper: Shopper,
    services: Mapping[str, str],
    http: httpx.Client,
    sku: str,
    chance: random.Random,
) -> None:
    """Everything, in an order of *chance*. shopper: has come in, and is who they say."""
    victims = [
        op.order_id
        for op in shopper.history.operations("place_order")
        if op.outcome is Outcome.OK and op.order_id and op.customer_id != shopper.id
    ]
    names = {"order": victims[-1] if victims else str(uuid.uuid4()), "sku": sku}
    for attempt in chance.sample(ATTEMPTS, len(ATTEMPTS)):
        _try(attempt, shopper, services, http, names)


def _try(
    attempt: Attempt,
    shopper: Shopper,
    services: Mapping[str, str],
    http: httpx.Client,
    names: Mapping[str, str],
) -> None:
    bot = Caller(services, http, lambda: attempt.token(shopper.access_token))
    started_at, status = time.time(), None
    with suppress(httpx.TransportError):  # Not answered: it may have been done.
        status = bot.ask(
            attempt.method,
            attempt.service,
            attempt.path.format(**names),
            json=_filled(attempt.body, names),
            key=str(uuid.uuid4()),
        ).status
    shopper.history.record(
        Operation(
            kind=ATTEMPT,
            shopper=shopper.name,
            outcome=_outcome(status),
            started_at=started_at,
            finished_at=time.time(),
            status=status,
            detail=attempt.what,
            customer_id=shopper.id,
        )
    )


def _filled(part: Any, names: Mapping[str, str]) -> Any:
    if isinstance(part, Mapping):
        return {name: _filled(value, names) for name, value in part.items()}
    if isinstance(part, list):
        return [_filled(value, names) for value in part]
    return part.format(**names) if isinstance(part, str) else part


def _outcome(status: int | None) -> Outcome:
    if status is None or status in PUT_OFF or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return Outcome.UNKNOWN
    return Outcome.FAIL if status >= httpx.codes.BAD_REQUEST else Outcome.OK
