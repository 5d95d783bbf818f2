"""The payment provider over HTTP: one method a call, timeouts stated, answers as facts."""

import httpx

from payment.domain import Fact, Operation, OperationKind, PaymentStatus

CONNECT_TIMEOUT_S = 0.25
# Cards take seconds; beyond five the answer is unknown, and asking again costs nothing.
READ_TIMEOUT_S = 5.0
# As many as the operations loop has hands.
CONNECTIONS = 8


class OutcomeUnknown(Exception):
    """No answer, or none that says yes or no. Ask again with the same key."""


class RefusedByProvider(Exception):
    """The provider says that the question itself is wrong. A person has to look."""


class PaymentProvider:
    """client: for tests, one over a transport of their own."""

    def __init__(self, base_url: str, api_key: str, client: httpx.Client | None = None) -> None:
        self._http = client or httpx.Client(
            timeout=httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            limits=httpx.Limits(max_connections=CONNECTIONS),
        )
        self._base_url = base_url
        self._headers = {"Authorization": f"Bearer {api_key}"}

    def perform(self, operation: Operation) -> Fact:
        """Ask for *operation*, with its id as the key. Raises OutcomeUnknown, RefusedByProvider."""
        path, body = _request(operation)
        try:
            response = self._http.post(
                f"{self._base_url}{path}",
                json=body,
                headers={**self._headers, "Idempotency-Key": operation.id},
            )
        except httpx.TransportError as error:
            raise OutcomeUnknown(type(error).__name__) from error
        if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise OutcomeUnknown(f"the provider answered {response.status_code}")
        if response.is_error:
            raise RefusedByProvider(f"the provider answered {response.status_code}")
        answer = response.json()
        return Fact(answer["id"], PaymentStatus(answer["status"]), answer.get("decline_code"))


def _request(operation: Operation) -> tuple[str, dict[str, object]]:
    payment = operation.payment
    if operation.kind is OperationKind.AUTHORIZE:
        return "/v1/payments", {
            "amount_minor": payment.amount_minor,
            "currency": payment.currency,
            "payment_method": payment.payment_method,
            "reference": payment.order_id,
        }
    path = f"/v1/payments/{payment.provider_payment_id}/{operation.kind}"
    if operation.kind is OperationKind.CAPTURE:
        return path, {"amount_minor": payment.amount_minor}
    return path, {}
