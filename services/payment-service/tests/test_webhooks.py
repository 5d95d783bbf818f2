"""The provider's webhooks: proven by their signature, stored once, looked at by the worker."""

import hashlib
import hmac
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest
from common import tracing
from common.db import Database
from common.testing import analyze
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from payment.domain import PaymentStatus
from payment.store import webhooks as webhook_rows
from payment.use_cases import webhooks
from payment.use_cases.webhooks import TOLERANCE_S, WebhookSignatureInvalid
from sqlalchemy import text
from sqlalchemy.event import listen, remove
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

if TYPE_CHECKING:
    from conftest import Checkout, FakeProvider

PATH = "/webhooks/payment-provider"
NOW = 1_800_000_000
# As in conftest.py.
WEBHOOK_SECRETS = ("the newer secret of the webhooks", "the older secret of the webhooks")
BODY = b'{"id":"evt_1","type":"payment.authorized","data":{}}'


def signature(body: bytes, secret: str = WEBHOOK_SECRETS[0], at: float | None = None) -> str:
    at_s = int(time.time() if at is None else at)
    digest = hmac.new(secret.encode(), f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"


def _post(client: FlaskClient, body: bytes, header: str | None) -> TestResponse:
    headers = {"Content-Type": "application/json"}
    return client.post(
        PATH, data=body, headers=headers | ({"Provider-Signature": header} if header else {})
    )


def _stored(db: Database) -> list[tuple[str, str, str | None]]:
    with db.transaction() as tx:
        rows = tx.execute(
            text("SELECT id, state, last_error FROM webhook_events ORDER BY position")
        )
        return [(row.id, row.state, row.last_error) for row in rows]


# --- The signature


@pytest.mark.parametrize("secret", WEBHOOK_SECRETS)
def test_each_secret_holds_while_one_follows_the_other(secret: str) -> None:
    webhooks.verify(signature(BODY, secret, NOW), BODY, WEBHOOK_SECRETS, NOW)


def test_one_good_signature_among_several_is_enough() -> None:
    good = signature(BODY, at=NOW)

    webhooks.verify(f"{good},v1={'0' * 64},v0=abc", BODY, WEBHOOK_SECRETS, NOW)


@pytest.mark.parametrize("off_s", [-TOLERANCE_S, TOLERANCE_S])
def test_clocks_may_differ_by_minutes(off_s: int) -> None:
    webhooks.verify(signature(BODY, at=NOW), BODY, WEBHOOK_SECRETS, NOW + off_s)


@pytest.mark.parametrize("off_s", [-TOLERANCE_S - 1, TOLERANCE_S + 1, 86_400])
def test_an_old_or_a_future_webhook_is_refused(off_s: int) -> None:
    with pytest.raises(WebhookSignatureInvalid):
        webhooks.verify(signature(BODY, at=NOW), BODY, WEBHOOK_SECRETS, NOW + off_s)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "t=1800000000",
        f"v1={'0' * 64}",
        f"t=1800000000,v1={'0' * 64}",
        "t=1800000000,v1=",
        f"t=,v1={'0' * 64}",
        f"t=-1,v1={'0' * 64}",
        f"t=1800000000,t=1800000000,v1={'0' * 64}",
        f"t=١٨٠٠٠٠٠٠٠٠,v1={'0' * 64}",
        "t=1800000000,v1=é",
        f"t=1800000000,{','.join(['v1=' + '0' * 64] * 9)}",
        "t=" + "9" * 5_000,
    ],
)
def test_what_is_no_signature_is_refused(header: str | None) -> None:
    with pytest.raises(WebhookSignatureInvalid):
        webhooks.verify(header, BODY, WEBHOOK_SECRETS, NOW)


def test_a_signature_of_another_scheme_time_or_secret_is_refused() -> None:
    good = signature(BODY, at=NOW)
    for header in (
        good.replace("v1=", "v0="),
        good.replace(f"t={NOW}", f"t={NOW + 1}"),
        signature(BODY, "a secret of somebody else", NOW),
        signature(BODY, "", NOW),
    ):
        with pytest.raises(WebhookSignatureInvalid):
            webhooks.verify(header, BODY, WEBHOOK_SECRETS, NOW)


def test_without_a_secret_nothing_is_believed() -> None:
    with pytest.raises(WebhookSignatureInvalid):
        webhooks.verify(signature(BODY, "", NOW), BODY, (), NOW)


def test_the_bytes_are_signed_and_not_what_they_mean() -> None:
    good = signature(BODY, at=NOW)

    with pytest.raises(WebhookSignatureInvalid):
        webhooks.verify(good, json.dumps(json.loads(BODY)).encode(), WEBHOOK_SECRETS, NOW)


@given(place=st.integers(0, len(BODY) - 1), bit=st.integers(0, 7))
@settings(max_examples=200, deadline=None, derandomize=True, database=None)
def test_a_body_of_which_one_bit_is_changed_is_refused(place: int, bit: int) -> None:
    changed = bytearray(BODY)
    changed[place] ^= 1 << bit

    with pytest.raises(WebhookSignatureInvalid):
        webhooks.verify(signature(BODY, at=NOW), bytes(changed), WEBHOOK_SECRETS, NOW)


# --- The door


def test_a_webhook_is_acknowledged_before_it_is_looked_at(
    client: FlaskClient, db: Database, checkout: "Checkout", provider: "FakeProvider"
) -> None:
    checkout.hear(checkout.reserved())
    body = json.dumps(
        checkout.webhook("evt_1", provider.add(checkout.order_id, "authorized"))
    ).encode()

    answer = _post(client, body, signature(body))

    assert (answer.status_code, answer.json) == (200, {"received": True, "repeated": False})
    assert _stored(db) == [("evt_1", "due", None)]
    assert checkout.told() == []
    assert webhooks.run_once(db, checkout.provider) == 1
    assert checkout.told() == ["payment.authorized"]


def test_a_replayed_webhook_has_no_second_effect(
    client: FlaskClient, db: Database, checkout: "Checkout", provider: "FakeProvider"
) -> None:
    checkout.hear(checkout.reserved())
    body = json.dumps(
        checkout.webhook("evt_1", provider.add(checkout.order_id, "authorized"))
    ).encode()
    header = signature(body)

    for number in range(3):
        answer = _post(client, body, header)
        assert answer.json == {"received": True, "repeated": number > 0}
        webhooks.run_once(db, checkout.provider)

    assert len(_stored(db)) == 1
    assert checkout.told() == ["payment.authorized"]


def test_the_same_webhook_three_times_at_once_has_one_effect(
    app: Flask, db: Database, checkout: "Checkout", provider: "FakeProvider"
) -> None:
    """Pinelab#620: settled three times."""
    checkout.hear(checkout.reserved())
    body = json.dumps(
        checkout.webhook("evt_1", provider.add(checkout.order_id, "captured"))
    ).encode()
    header, start = signature(body), Barrier(3)

    def deliver(_: int) -> int:
        start.wait()
        status = _post(app.test_client(), body, header).status_code
        webhooks.run_once(db, checkout.provider)
        return status

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(deliver, range(3))) == [200] * 3

    webhooks.run_once(db, checkout.provider)
    assert checkout.told() == ["payment.authorized"]
    assert len(checkout.ledger) == 2


@pytest.mark.parametrize(
    "header",
    [None, f"t={NOW},v1={'0' * 64}", signature(BODY, at=time.time() - 3600)],
    ids=["none", "forged", "an hour old"],
)
def test_a_forged_webhook_leaves_nothing(
    client: FlaskClient, db: Database, header: str | None
) -> None:
    answer = _post(client, BODY, header)

    assert answer.status_code == 400
    assert answer.json
    assert answer.json["type"] == "/problems/webhook-signature-invalid"
    assert "detail" not in answer.json
    assert _stored(db) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'{"id":"evt_1"}',
        b'{"id":"evt 1","type":"payment.authorized","data":{}}',
        b'{"id":"evt_1","id":"evt_2","type":"payment.authorized","data":{}}',
        b'{"id":"evt_1","type":"payment.authorized","data":{"a":"\\u0000"}}',
        b'{"id":"evt_1","type":"payment.authorized","data":{"a":NaN}}',
        b'{"id":"evt_1","type":"payment.authorized","data":' + b'{"a":' * 40 + b"1" + b"}" * 41,
        b"\xff",
    ],
)
def test_a_signed_body_that_is_no_webhook_is_refused(
    client: FlaskClient, db: Database, body: bytes
) -> None:
    assert _post(client, body, signature(body)).status_code == 400
    assert _stored(db) == []


def test_a_webhook_that_is_too_long_is_not_read(client: FlaskClient, db: Database) -> None:
    body = b'{"id":"evt_1","type":"payment.authorized","data":{"a":"' + b"x" * 70_000 + b'"}}'

    assert _post(client, body, signature(body)).status_code == 413
    assert _stored(db) == []


def test_a_card_number_in_a_webhook_is_not_stored(client: FlaskClient, db: Database) -> None:
    body = BODY.replace(b"{}", b'{"note":"paid with 4242424242424242"}')

    with capture_logs() as logs:
        answer = _post(client, body, signature(body))

    assert answer.status_code == 422
    assert answer.json
    assert answer.json["type"] == "/problems/card-number-refused"
    assert "4242424242424242" not in answer.text + str(logs)
    assert _stored(db) == []


# --- The worker


def test_a_webhook_that_makes_no_sense_is_put_away_and_told(
    db: Database, checkout: "Checkout"
) -> None:
    with capture_logs() as logs:
        checkout.hear_webhook(checkout.webhook("evt_1", {"status": "authorized"}))

    ((_, state, error),) = _stored(db)
    assert state == "refused"
    assert error
    assert error.startswith("Unreadable")
    assert [log["event"] for log in logs if log["log_level"] == "error"] == ["webhook_failed"]


def test_a_webhook_that_leads_a_shopper_to_a_stranger_has_no_effect(
    db: Database, checkout: "Checkout", provider: "FakeProvider"
) -> None:
    checkout.hear(checkout.reserved())
    action = {"type": "redirect", "url": "https://evil.example/3ds"}
    payment = provider.add(checkout.order_id, "requires_action", next_action=action)

    checkout.hear_webhook(checkout.webhook("evt_1", payment))

    assert checkout.told() == []
    assert checkout.payment.status is PaymentStatus.INITIATED
    assert _stored(db)[0][1] == "refused"


@pytest.mark.parametrize(
    "reference", [None, "another-shop-1", "0190b1c5-0000-7000-8000-000000000009"]
)
def test_a_webhook_about_no_order_of_ours_is_a_difference(
    checkout: "Checkout", provider: "FakeProvider", reference: str | None
) -> None:
    payment = provider.add("x", "captured") | {"reference": reference}

    checkout.hear_webhook(checkout.webhook("evt_1", payment))

    assert [kind for kind, _ in checkout.differences] == ["unknown_charge"]
    assert checkout.ledger == []


def test_an_unknown_kind_of_webhook_with_a_payment_is_applied_as_any(
    checkout: "Checkout", provider: "FakeProvider"
) -> None:
    checkout.hear(checkout.reserved())
    told: dict[str, Any] = checkout.webhook("evt_1", provider.add(checkout.order_id, "authorized"))

    checkout.hear_webhook(told | {"type": "payment.looked_at"})

    assert checkout.told() == ["payment.authorized"]


def test_a_fault_of_ours_is_tried_again_and_holds_up_no_other(
    db: Database, checkout: "Checkout", provider: "FakeProvider"
) -> None:
    checkout.hear(checkout.reserved())
    payment = provider.add(checkout.order_id, "authorized")
    with db.transaction() as tx:
        webhooks.receive(tx, json.dumps(checkout.webhook("evt_1", payment)).encode())
        webhooks.receive(tx, json.dumps(checkout.webhook("evt_2", payment)).encode())

    class Broken:
        def webhook(self, _: str) -> None:
            raise ZeroDivisionError

    webhooks.run_once(db, Broken())  # type: ignore[arg-type]
    while webhooks.run_once(db, checkout.provider):
        continue

    assert _stored(db) == [("evt_1", "due", "ZeroDivisionError"), ("evt_2", "done", None)]
    assert checkout.told() == ["payment.authorized"]


def test_a_span_says_what_brought_a_webhook_and_once_committed_that_it_took_effect(
    monkeypatch: pytest.MonkeyPatch, db: Database, checkout: "Checkout", provider: "FakeProvider"
) -> None:
    """Or every try that was undone counts as one more effect."""
    spans = InMemorySpanExporter()
    traces = TracerProvider()
    traces.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr(tracing, "_tracer", traces.get_tracer("test"))
    checkout.hear(checkout.reserved())
    payment = provider.add(checkout.order_id, "authorized")
    requests = traces.get_tracer("test")
    with requests.start_as_current_span("POST") as request, db.transaction() as tx:
        webhooks.receive(tx, json.dumps(checkout.webhook("evt_1", payment)).encode())

    with monkeypatch.context() as broken:
        broken.setattr(webhook_rows, "finish", lambda *_, **__: 1 / 0)
        webhooks.run_once(db, checkout.provider)
    with db.transaction() as tx:
        tx.execute(text("UPDATE webhook_events SET next_attempt_at = now()"))
    webhooks.run_once(db, checkout.provider)

    told = [s for s in spans.get_finished_spans() if s.name == "process webhook payment.authorized"]
    assert [dict(s.attributes or {})["app.effect"] for s in told] == ["rolled_back", "applied"]
    causes = [[link.context.span_id for link in span.links] for span in told]
    assert causes == [[request.get_span_context().span_id]] * 2
    assert checkout.told() == ["payment.authorized"]


def test_old_webhooks_are_forgotten_and_new_ones_kept(
    db: Database, checkout: "Checkout", provider: "FakeProvider"
) -> None:
    checkout.hear(checkout.reserved())
    payment = provider.add(checkout.order_id, "authorized")
    checkout.hear_webhook(checkout.webhook("evt_1", payment), checkout.webhook("evt_2", payment))
    with db.transaction() as tx:
        tx.execute(
            text(
                "UPDATE webhook_events SET done_at = now() - interval '16 days' WHERE id = 'evt_1'"
            )
        )

    assert webhooks.sweep(db) == 1
    assert [id_ for id_, _, _ in _stored(db)] == ["evt_2"]


def test_a_sweep_that_finds_little_does_not_read_all_that_is_young(db: Database) -> None:
    with db.transaction() as tx:  # Twenty an hour, for fifteen days and two hours.
        tx.execute(
            text(
                "INSERT INTO webhook_events (id, type, body, state, done_at)"
                " SELECT 'evt_' || h || '_' || n, 'payment.captured', repeat('{', 500), 'done',"
                " now() - make_interval(hours => h)"
                " FROM generate_series(1, 362) AS h, generate_series(1, 20) AS n"
            )
        )
    analyze(db, "payment.webhook_events")
    sent: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, parameters: object, *___: object) -> None:
        sent.append((statement, parameters))

    listen(db.engine, "before_cursor_execute", note)
    try:
        swept = webhooks.sweep(db)
    finally:
        remove(db.engine, "before_cursor_execute", note)
    [(statement, parameters)] = sent
    with db.transaction() as tx:
        tx.execute(text("SET LOCAL enable_sort = off"))  # It costs nothing, of sixty rows.
        rows = tx.exec_driver_sql(f"EXPLAIN {statement}", parameters)
        plan = "\n".join(rows.scalars())

    assert swept == 3 * 20
    assert re.search("Index (Only )?Scan using webhook_events_done", plan)
    assert "Seq Scan" not in plan
