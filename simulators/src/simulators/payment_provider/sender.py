"""Sends what the queue of webhooks holds, and writes down how it went. Decides no payment.

A few threads, each taking the delivery that has waited longest; of one reference only one is on
its way at a time, so that webhooks overtake one another only when a token says so. What is not
written down as delivered when the process dies is sent again: at least once, never not at all.
"""

import logging
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx
from opentelemetry import propagate, trace

from simulators.payment_provider import clock
from simulators.payment_provider.rules import webhooks
from simulators.payment_provider.settings import Settings
from simulators.payment_provider.storage import webhook_queue
from simulators.payment_provider.storage.book import Book
from simulators.payment_provider.storage.webhook_queue import Attempt, Delivery

# One shop on the same machine: more would only wait for it, and for one another at the book.
THREADS = 4

# A shop has to store a webhook and answer, nothing more: Stripe's own patience is not far off.
TIMEOUT = httpx.Timeout(connect=1.0, read=5.0, write=1.0, pool=1.0)

# Nothing in the answer matters but its status; a longer one costs its connection.
ANSWER_BYTES_MAX = 64 * 1024

# How long a thread may miss that something fell due, if it were ever told too early.
IDLE_S = 1.0

log = logging.getLogger(__name__)


class Sender:
    """client: for tests, one over a transport of their own. now_ms: the clock it goes by."""

    def __init__(
        self,
        book: Book,
        settings: Settings,
        *,
        tracer: trace.Tracer | None = None,
        client: httpx.Client | None = None,
        now_ms: Callable[[], int] = clock.now_ms,
    ) -> None:
        self._book, self._settings, self._now_ms = book, settings, now_ms
        self._tracer = tracer or trace.NoOpTracer()
        # The environment's proxies are for others; the shop is where the setting says.
        self._http = client or httpx.Client(timeout=TIMEOUT, trust_env=False)
        self._busy: set[str] = set()  # references with a delivery on its way
        self._changed = threading.Condition()
        self._news = 0  # how often there was reason to look again
        self._is_stopping = False
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        for number in range(THREADS):
            thread = threading.Thread(target=self._work, name=f"webhooks-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def wake(self) -> None:
        """Something may have fallen due."""
        with self._changed:
            self._news += 1
            self._changed.notify()

    def stop(self, within_s: float) -> bool:
        """Begin no further delivery; whether those on their way ended in time."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        deadline = time.monotonic() + within_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def deliver_next(self) -> bool:
        """Try the delivery that has waited longest; False when none is due."""
        delivery = self._take()
        if delivery is None:
            return False
        try:
            attempt = self._attempt(delivery)
            with self._book.transaction() as tx:
                webhook_queue.add_attempt(tx, delivery, attempt)
        finally:
            with self._changed:
                self._busy.discard(delivery.webhook.reference)
        return True

    def _work(self) -> None:
        while not self._is_stopping:
            news = self._news
            try:
                if not self.deliver_next():
                    self._wait(news)
            except Exception:
                # A thread that ends would take a quarter of all webhooks with it, unseen.
                log.exception("webhook_not_sent")
                self._wait(self._news)

    def _wait(self, news: int) -> None:
        """Until something was written since `news`, or the next delivery falls due."""
        with self._book.reading() as tx:
            due_ms = webhook_queue.next_due_ms(tx)
        until_due_s = IDLE_S if due_ms is None else (due_ms - self._now_ms()) / clock.MS_PER_S
        with self._changed:
            # What is due but busy will be looked at by the thread that is busy with it.
            timeout_s = min(until_due_s, IDLE_S) if until_due_s > 0 else IDLE_S
            self._changed.wait_for(lambda: self._is_stopping or self._news != news, timeout_s)

    def _take(self) -> Delivery | None:
        with self._changed, self._book.reading() as tx:
            delivery = webhook_queue.next_due(tx, self._now_ms(), busy=self._busy)
            if delivery is not None:
                self._busy.add(delivery.webhook.reference)
            return delivery

    def _attempt(self, delivery: Delivery) -> Attempt:
        at_ms, began = self._now_ms(), time.monotonic()
        status, error = None, None
        try:
            status = self._send(delivery, at_ms)
        except httpx.HTTPError as failure:  # No answer: the shop may have it or not.
            error = type(failure).__name__
        duration_ms = int((time.monotonic() - began) * clock.MS_PER_S)
        return Attempt(clock.rfc3339(at_ms), duration_ms, status, error)

    def _send(self, delivery: Delivery, at_ms: int) -> int:
        """What the shop answered. Raises httpx.HTTPError."""
        webhook = delivery.webhook
        secrets = self._settings.signing_secrets
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "payment-provider",
            "Provider-Signature": webhooks.signature(
                secrets, webhook.body, at_ms // clock.MS_PER_S
            ),
        }
        cause = propagate.extract({"traceparent": webhook.traceparent or ""})
        with self._tracer.start_as_current_span(
            "POST",
            context=cause,
            kind=trace.SpanKind.CLIENT,
            attributes={
                "http.request.method": "POST",
                "server.address": urlsplit(self._settings.webhook_url).hostname or "",
                "http.request.resend_count": delivery.attempts,
                "payment.event.id": webhook.id,
                "payment.event.type": webhook.type,
            },
        ) as span:
            propagate.inject(headers)
            # An answer that sends us elsewhere is not followed: who may know is configured.
            with self._http.stream(
                "POST",
                self._settings.webhook_url,
                content=webhook.body,
                headers=headers,
                follow_redirects=False,
            ) as response:
                span.set_attribute("http.response.status_code", response.status_code)
                if not response.is_success:
                    span.set_status(trace.StatusCode.ERROR)
                    span.set_attribute("error.type", str(response.status_code))
                _read_up(response)
                return response.status_code


def _read_up(response: httpx.Response) -> None:
    """To the end if it is near: only then can the connection be used again."""
    taken = 0
    for chunk in response.iter_raw():
        taken += len(chunk)
        if taken > ANSWER_BYTES_MAX:
            return
