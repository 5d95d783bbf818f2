"""The calls themselves. Every one is bounded, none is followed elsewhere, none decides."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
from common import calls
from common.breaker import Breaker, BreakerOpen
from pydantic import ValidationError

from payment.clients import answers
from payment.clients.answers import (
    NotAsked,
    OutcomeUnknown,
    Page,
    Reader,
    RefusedByProvider,
    StoredAnswer,
    Unreadable,
)
from payment.domain import Fact, Operation, OperationKind, RefundFact

CONNECT_TIMEOUT_S = 0.25
# Cards take seconds; beyond five the answer is unknown, and asking again costs nothing.
READ_TIMEOUT_S = 5.0
# A request is a few hundred bytes: what does not leave in a second will not leave.
WRITE_TIMEOUT_S = 1.0
# All of a call, waiting for a connection included, however slowly the answer drips.
CALL_S_MAX = 2 * CONNECT_TIMEOUT_S + WRITE_TIMEOUT_S + READ_TIMEOUT_S
# As many as the operations loop has hands, so that no call waits for a connection.
CONNECTIONS = 8
# One page of the provider's book, some hundred kilobytes.
PAGE_SIZE = 200
# More than one for each hand: connections that broke all at once are a moment, not an outage.
FAILURES_MAX = 10
# A shopper who waits for a provider that is back waits so much longer; one try costs it nothing.
OPEN_S = 2.0


class PaymentProvider:
    """client, breaker: for tests, one over a transport, or with a clock, of their own.

    action_hosts: beside its own, where it may send a shopper for 3-D Secure.
    return_url: where the shopper comes back to, with `{order_id}` in it; None: the provider
        shows a page of its own.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        client: httpx.Client | None = None,
        *,
        action_hosts: Collection[str] = (),
        return_url: str | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        self._http = client or httpx.Client(
            timeout=httpx.Timeout(
                connect=CONNECT_TIMEOUT_S,
                read=READ_TIMEOUT_S,
                write=WRITE_TIMEOUT_S,
                pool=CONNECT_TIMEOUT_S,
            ),
            limits=httpx.Limits(max_connections=CONNECTIONS),
            follow_redirects=False,
        )
        self.breaker = breaker or Breaker(
            "payment-provider", failures_max=FAILURES_MAX, open_s=OPEN_S
        )
        self._base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"}
        parts = urlsplit(base_url)
        self._reader = Reader(
            {parts.hostname or "", *action_hosts}, is_secure=parts.scheme == "https"
        )
        self._return_url = return_url

    def perform(self, operation: Operation) -> Fact:
        """Ask for *operation*, with its id as the key. Raises OutcomeUnknown, RefusedByProvider."""
        path, body = self._request(operation)
        headers = {**self._headers, "Idempotency-Key": operation.id}
        response = self._send("POST", path, json=body, headers=headers)
        return self._reader.answer(operation.kind, response.status_code, response.content)

    def ask(self, operation: Operation) -> Fact | None:
        """What became of *operation*, without sending it; None if the provider has not done it.

        Raises OutcomeUnknown, RefusedByProvider.
        """
        try:
            return self._ask(operation)
        except Unreadable as error:
            raise OutcomeUnknown(str(error)) from error

    def read(self, provider_payment_id: str) -> Fact | None:
        """A payment as it is there; None if it is not. Raises as `perform`."""
        response = self._get(f"/v1/payments/{provider_payment_id}")
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        return self._reader.answer(OperationKind.CAPTURE, response.status_code, response.content)

    def refunds(self, provider_payment_id: str) -> list[RefundFact]:
        """Every refund of a payment. Raises OutcomeUnknown, Unreadable."""
        return answers.refunds(self._read(f"/v1/payments/{provider_payment_id}/refunds"))

    def find(self, order_id: str) -> list[Fact]:
        """Every payment that was made for an order. Raises OutcomeUnknown, Unreadable."""
        found = self._reader.payments(self._read("/v1/payments", reference=order_id)).facts
        for payment in found:
            if isinstance(payment, Unreadable):
                raise payment
        return [payment for payment in found if isinstance(payment, Fact)]

    def changes(self, since: datetime, cursor: str | None) -> Page:
        """A page of what changed there since. Raises OutcomeUnknown, RefusedByProvider, Unreadable.

        cursor: of the page before, by whomever and whenever it was read; counts more than *since*.
        """
        query = {"updated_since": since.isoformat(), "limit": str(PAGE_SIZE)}
        content = self._read("/v1/payments", **query | ({"cursor": cursor} if cursor else {}))
        return self._reader.payments(content)

    def webhook(self, body: str) -> Fact:
        """What a webhook tells. Raises Unreadable."""
        return self._reader.webhook(body)

    def _ask(self, operation: Operation) -> Fact | None:
        if operation.kind is OperationKind.AUTHORIZE:
            found = self.find(operation.payment.order_id)
            # An answer that was a refusal made no payment; the key alone remembers it.
            return found[0] if found else self._answered(operation)
        at_provider = operation.payment.provider_payment_id
        assert at_provider is not None, "only an authorization is asked for before there is one"
        fact = self.read(at_provider)
        if fact is None or operation.refund is None:
            return fact
        name = operation.refund.reference
        made = [refund for refund in self.refunds(at_provider) if refund.reference == name]
        return replace(fact, refund=made[0]) if made else self._answered(operation)

    def _answered(self, operation: Operation) -> Fact | None:
        """The answer that was given under the operation's key; None if none ever was."""
        response = self._get(f"/v1/operations/{quote(operation.id, safe='')}")
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        if not response.is_success:
            raise OutcomeUnknown(f"the provider answered {response.status_code}")
        try:
            stored = StoredAnswer.model_validate_json(response.content)
        except ValidationError as error:
            raise OutcomeUnknown("the provider's answer makes no sense") from error
        content = httpx.Response(stored.status_code, json=stored.body).content
        return self._reader.answer(operation.kind, stored.status_code, content)

    def _read(self, path: str, **query: str) -> bytes:
        response = self._get(path, **query)
        if response.is_client_error and response.status_code not in answers.PATIENCE:
            raise RefusedByProvider(f"the provider answered {response.status_code}")
        if not response.is_success:
            raise OutcomeUnknown(f"the provider answered {response.status_code}")
        return response.content

    def _get(self, path: str, **query: str) -> httpx.Response:
        return self._send("GET", path, params=query, headers=self._headers)

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Raises OutcomeUnknown; as NotAsked if the provider is left alone just now."""
        try:
            with self.breaker.call() as call:
                url = f"{self._base_url}{path}"
                response = calls.answer(self._http, method, url, within_s=CALL_S_MAX, **request)
                call.failed = response.is_server_error
        except BreakerOpen as error:
            raise NotAsked(str(error)) from error
        except httpx.HTTPError as error:
            raise OutcomeUnknown(type(error).__name__) from error
        return response

    def _request(self, operation: Operation) -> tuple[str, dict[str, object]]:
        payment = operation.payment
        if operation.kind is OperationKind.AUTHORIZE:
            asked: dict[str, object] = {
                "amount_minor": payment.amount_minor,
                "currency": payment.currency,
                "payment_method": payment.payment_method,
                "reference": payment.order_id,
            }
            if self._return_url:
                asked["return_url"] = self._return_url.replace("{order_id}", payment.order_id)
            return "/v1/payments", asked
        path = f"/v1/payments/{payment.provider_payment_id}"
        if operation.refund is not None:
            refund = operation.refund
            return f"{path}/refunds", {
                "amount_minor": refund.amount_minor,
                "reference": refund.reference,
            }
        body: dict[str, object] = {}
        if operation.kind is OperationKind.CAPTURE:
            body = {"amount_minor": payment.amount_minor}
        return f"{path}/{operation.kind}", body
