"""One mail, one payment and one trace, each there and back. Raises whatever goes wrong.

token: 32 hex digits, no two alike; also the id of the trace to which all of it belongs.

What stays of them is in no book that the audit reads: the mail is about no order, the payment's
method keeps it out of the provider's lists, and no checkout has the trace.
"""

import smtplib
import time
from email.message import EmailMessage
from typing import Any

import httpx

from harness.eventually import eventually
from harness.process.endpoints import Endpoints
from harness.traces.reader import TraceReader

# Each answers within milliseconds; this is for a machine that starts other stacks, too.
TIMEOUT_S = 20.0

# One Message-ID for ever: the mailbox counts the delivery, and nobody's list of mails grows.
MESSAGE_ID = "<self-test@cartwright.invalid>"
# What the simulator keeps out of its lists, and tells nobody about.
PAYMENT_METHOD = "pm_self_test"


class Untrue(Exception):
    """A part answered, and not what it should have."""


def mail(endpoints: Endpoints, _token: str) -> None:
    """The mailbox has one delivery more than before."""
    with httpx.Client(base_url=endpoints.mailbox_url, timeout=TIMEOUT_S) as http:
        before = _deliveries(http)
        message = EmailMessage()
        message["From"] = message["To"] = "self-test@cartwright.invalid"
        message["Subject"] = "Cartwright tests itself"
        message["Message-ID"] = MESSAGE_ID
        message["X-Message-Kind"] = "self-test"
        message.set_content("Sent whenever the shop starts; kept once.")
        host = endpoints.smtp_host, endpoints.smtp_port
        # With a name given, no resolver is asked for ours.
        with smtplib.SMTP(*host, local_hostname="localhost", timeout=TIMEOUT_S) as smtp:
            smtp.send_message(message)
        if _deliveries(http) <= before:
            raise Untrue("took a mail and does not show it")


def _deliveries(http: httpx.Client) -> int:
    found = http.get("/messages", params={"kind": "self-test"}).raise_for_status().json()
    return sum(int(message["deliveries"]) for message in found["messages"])


def payment(endpoints: Endpoints, token: str) -> None:
    """The smallest amount there is, authorized and voided."""
    headers = {
        "Authorization": f"Bearer {endpoints.payment_provider_api_key}",
        "traceparent": f"00-{token}-{token[:16]}-01",
    }
    charge = {
        "amount_minor": 1,
        "currency": "USD",
        "payment_method": PAYMENT_METHOD,
        "reference": f"self-test-{token}",
    }
    url = endpoints.payment_provider_url
    with httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT_S) as http:
        made = _moved(http, "/v1/payments", f"{token}-authorize", charge, "authorized")
        _moved(http, f"/v1/payments/{made['id']}/void", f"{token}-void", {}, "voided")


def _moved(
    http: httpx.Client, path: str, key: str, body: dict[str, Any], status: str
) -> dict[str, Any]:
    answer = http.post(path, json=body, headers={"Idempotency-Key": key}).raise_for_status()
    payment: dict[str, Any] = answer.json()
    if payment["status"] != status:
        raise Untrue(f"left a payment {payment['status']} that should be {status}")
    return payment


def trace(endpoints: Endpoints, token: str) -> None:
    """A span sent as services send theirs is read as the audit reads it."""
    now_ns = str(time.time_ns())
    span = {
        "traceId": token,
        "spanId": token[:16],
        "name": "self-test",
        "kind": 1,
        "startTimeUnixNano": now_ns,
        "endTimeUnixNano": now_ns,
    }
    service = {"key": "service.name", "value": {"stringValue": "self-test"}}
    sent = {"resourceSpans": [{"resource": {"attributes": [service]},
                               "scopeSpans": [{"scope": {}, "spans": [span]}]}]}  # fmt: skip
    httpx.post(f"{endpoints.otlp_url}/v1/traces", json=sent, timeout=TIMEOUT_S).raise_for_status()
    with TraceReader(endpoints.trace_query_url) as reader:
        eventually(lambda: reader.fetch(token), TIMEOUT_S, "the span that was sent")
