"""The payment provider over HTTP: one method a call, timeouts stated, answers as facts."""

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from payment.domain import Fact, Operation, OperationKind, PaymentStatus

CONNECT_TIMEOUT_S = 0.25
# Cards take seconds; beyond five the answer is unknown, and asking again costs nothing.
READ_TIMEOUT_S = 5.0
# A request is a few hundred bytes: what does not leave in a second will not leave.
WRITE_TIMEOUT_S = 1.0
# As many as the operations loop has hands, so that no call waits for a connection.
CONNECTIONS = 8

# Said before anything was done about a payment that will never be possible (docs/simulators.md):
# the shopper named a card that does not exist, or an amount no card takes. So it is a decline.
UNKNOWN_PAYMENT_METHOD = "unknown-payment-method"
DECLINING_PROBLEMS = frozenset(
    {UNKNOWN_PAYMENT_METHOD, "amount-out-of-range", "unsupported-currency"}
)
# What the card world calls it; a provider may say it without a problem type.
RESOURCE_MISSING = "resource_missing"
# 408 and 429 (RFC 9110 §15.5.9, RFC 6585 §4) ask for patience, as every 5xx does.
PATIENCE = frozenset({httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS})


class OutcomeUnknown(Exception):
    """No answer, or none that says yes or no. Ask again with the same key."""


class RefusedByProvider(Exception):
    """The provider says that the question itself is wrong. A person has to look."""


class _Payment(BaseModel):
    """The provider's answer, as far as we read it: what may be part of a path, and be stored."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(pattern="^[A-Za-z0-9_-]{1,64}$")
    status: PaymentStatus
    decline_code: str | None = Field(default=None, pattern="^[A-Za-z0-9_.-]{1,64}$")


class _Fault(BaseModel):
    pointer: str = ""


class _Problem(BaseModel):
    """RFC 9457; a gateway between us may answer something else."""

    type: str = Field(default="about:blank", pattern="^[!-~]{1,200}$")
    code: str = ""
    errors: list[_Fault] = []

    @property
    def name(self) -> str:
        """Of the problem; the form of a payment method is the shopper's matter, not ours."""
        name = self.type.rpartition(":")[2]
        malformed_method = name == "malformed" and [fault.pointer for fault in self.errors] == [
            "/payment_method"
        ]
        missing = self.code == RESOURCE_MISSING
        return UNKNOWN_PAYMENT_METHOD if malformed_method or missing else name


class PaymentProvider:
    """client: for tests, one over a transport of their own."""

    def __init__(self, base_url: str, api_key: str, client: httpx.Client | None = None) -> None:
        self._http = client or httpx.Client(
            timeout=httpx.Timeout(
                connect=CONNECT_TIMEOUT_S,
                read=READ_TIMEOUT_S,
                write=WRITE_TIMEOUT_S,
                pool=CONNECT_TIMEOUT_S,
            ),
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
        except httpx.HTTPError as error:
            raise OutcomeUnknown(type(error).__name__) from error
        if response.is_client_error and response.status_code not in PATIENCE:
            return _declined(operation, response)
        if not response.is_success:
            raise OutcomeUnknown(f"the provider answered {response.status_code}")
        try:
            payment = _Payment.model_validate_json(response.content)
        except ValidationError as error:
            raise OutcomeUnknown("the provider's answer makes no sense") from error
        return Fact(payment.id, payment.status, payment.decline_code)


def _declined(operation: Operation, response: httpx.Response) -> Fact:
    """What a refused authorization means, if it means something. Raises RefusedByProvider."""
    try:
        problem = _Problem.model_validate_json(response.content)
    except ValidationError:
        problem = _Problem()
    if operation.kind is OperationKind.AUTHORIZE and problem.name in DECLINING_PROBLEMS:
        return Fact(None, PaymentStatus.DECLINED, problem.name.replace("-", "_"))
    raise RefusedByProvider(f"the provider answered {response.status_code} {problem.type}")


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
