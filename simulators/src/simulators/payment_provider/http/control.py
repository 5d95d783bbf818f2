"""What tests may see of the book and move about in it: `/book/*` and `/healthz`.

How a payment goes is not switched here: the payment method selects it (`behaviours`). Here
webhooks are held, let go and sent again, and challenges are decided as their page would.
"""

import sqlite3
from collections.abc import Sequence

from flask import Blueprint, Response, request

from simulators.payment_provider.http import requests
from simulators.payment_provider.http.bodies import (
    DecisionBody,
    HoldBody,
    RedeliverBody,
    ReleaseBody,
)
from simulators.payment_provider.http.problems import as_response
from simulators.payment_provider.rules.answers import json_answer
from simulators.payment_provider.rules.refusals import (
    HoldNotFound,
    Malformed,
    WebhookNotFound,
    WebhooksNotConfigured,
)
from simulators.payment_provider.storage import challenges, facts, observation, webhook_queue
from simulators.payment_provider.storage.book import payment_of
from simulators.payment_provider.storage.representations import payment_shown

control = Blueprint("control", __name__)

LIMIT_MAX = 1_000  # About a megabyte of webhooks: one answer, still quick to build.
LIMIT_DEFAULT = 100


@control.get("/healthz")
def healthz() -> dict[str, str]:
    return {"status": "ok"}


@control.get("/book/payments")
def list_payments() -> Response:
    with requests.provider().book.reading() as tx:
        rows = observation.payments_after(tx, requests.number("after", 0), limit=_limit())
    return _listed("payments", rows, [payment_shown(payment_of(row)) for row in rows])


@control.get("/book/calls")
def list_calls() -> Response:
    return _list_log("call", "calls")


@control.get("/book/facts")
def list_facts() -> Response:
    return _list_log("fact", "facts")


@control.get("/book/webhooks")
def list_webhooks() -> Response:
    after, limit, reference = requests.number("after", 0), _limit(), request.args.get("reference")
    with requests.provider().book.reading() as tx:
        rows = observation.webhooks_after(tx, after, reference=reference, limit=limit)
        deliveries = observation.deliveries_of(tx, [row["seq"] for row in rows])
    shown = [observation.webhook_shown(row, deliveries[row["seq"]]) for row in rows]
    return _listed("webhooks", rows, shown)


@control.post("/book/webhooks/<webhook_id>/redeliver")
def redeliver(webhook_id: str) -> Response:
    """Send it once more, with the same id and body: at once, or when it is released."""
    RedeliverBody.model_validate_json(requests.json_body())
    asked = _asked()
    with requests.provider().book.transaction() as tx:
        if observation.find_webhook(tx, webhook_id) is None:
            raise WebhookNotFound(webhook_id=webhook_id)
        webhook_queue.plan_deliveries(tx, webhook_id, facts.plan(asked.settings, asked.at_ms))
        shown = observation.webhook(tx, webhook_id)
    requests.provider().wake()
    return as_response(json_answer(shown, 202))


@control.post("/book/webhook-holds")
def hold() -> Response:
    """From now on, and with those that wait for another try, until they are released."""
    reference = HoldBody.model_validate_json(requests.json_body()).reference
    _asked()
    with requests.provider().book.transaction() as tx:
        webhook_queue.hold(tx, reference)
        held = [webhook_id for _, webhook_id in webhook_queue.held(tx, reference)]
    return as_response(json_answer({"reference": reference, "held": held}, 201))


@control.post("/book/webhook-holds/<reference>/release")
def release(reference: str) -> Response:
    """Let them go one after the other, in the order that is asked for, and hold no more."""
    order = ReleaseBody.model_validate_json(requests.json_body()).order
    asked = _asked()
    with requests.provider().book.transaction() as tx:
        if not webhook_queue.is_held(tx, reference):
            raise HoldNotFound(reference=reference)
        going = _in_order(webhook_queue.held(tx, reference), order)
        # One millisecond apart keeps the order; of one reference only one is on its way.
        plan = facts.plan(asked.settings, asked.at_ms, tuple(range(len(going))))
        webhook_queue.release(tx, reference, [seq for seq, _ in going], plan)
    requests.provider().wake()
    released = [webhook_id for _, webhook_id in going]
    return as_response(json_answer({"reference": reference, "released": released}))


@control.post("/book/challenges/<payment_id>")
def decide(payment_id: str) -> Response:
    """As if the shopper had pressed the button."""
    decision = challenges.Decision(DecisionBody.model_validate_json(requests.json_body()).outcome)
    asked = requests.asked()
    with requests.provider().book.transaction() as tx:
        payment = challenges.decide(tx, asked, challenges.find(tx, payment_id), decision)
    requests.provider().wake()
    return as_response(json_answer(payment_shown(payment)))


@control.get("/book/summary")
def summarize() -> Response:
    with requests.provider().book.reading() as tx:
        return as_response(json_answer(observation.summary(tx)))


def _asked() -> facts.Asked:
    """Raises WebhooksNotConfigured: what moves webhooks about needs somewhere to send them."""
    asked = requests.asked()
    if not asked.settings.webhook_url:
        raise WebhooksNotConfigured
    return asked


def _in_order(held: list[tuple[int, str]], order: str | list[str]) -> list[tuple[int, str]]:
    """Raises Malformed unless a list names each webhook that is held, once."""
    if isinstance(order, str):
        return held if order == "oldest_first" else held[::-1]
    ids = sorted({webhook_id for _, webhook_id in held})
    if sorted(order) != ids:
        raise Malformed(parameter="order", held=ids)
    return sorted(held, key=lambda delivery: order.index(delivery[1]))


def _list_log(kind: str, name: str) -> Response:
    after, limit = requests.number("after", 0), _limit()
    with requests.provider().book.reading() as tx:
        rows = observation.log_after(
            tx, kind, after, reference=request.args.get("reference"), limit=limit
        )
    return _listed(name, rows, [_entry(row) for row in rows])


def _entry(row: sqlite3.Row) -> dict[str, object]:
    """A row of the log without the columns that this kind of entry leaves empty."""
    shown = {column: row[column] for column in row.keys() if row[column] is not None}  # noqa: SIM118 - a Row iterates over values
    del shown["kind"]
    if row["kind"] == "fact":
        del shown["replayed"]
    else:
        shown["replayed"] = bool(row["replayed"])
    return shown


def _listed(name: str, rows: Sequence[sqlite3.Row], items: list[dict[str, object]]) -> Response:
    """One page; `next` is the cursor for the one after it, null when nothing followed."""
    is_full = len(rows) == _limit()
    return as_response(json_answer({name: items, "next": rows[-1]["seq"] if is_full else None}))


def _limit() -> int:
    return requests.limit(default=LIMIT_DEFAULT, largest=LIMIT_MAX)
