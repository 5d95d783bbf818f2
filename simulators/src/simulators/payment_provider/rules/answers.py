"""An answer as bytes, as it is sent and kept in the book; a refusal as an RFC 9457 problem.

Knows no framework.
"""

import re
from dataclasses import dataclass

import orjson

from simulators.payment_provider.rules import refusals


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    content_type: str = "application/json"


def json_answer(body: object, status: int = 200) -> Answer:
    return Answer(status, orjson.dumps(body))


# Stripe answers an unknown payment method with 400 resource_missing; so do we.
STATUS_BY_REFUSAL: dict[type[refusals.Refusal], int] = {
    refusals.Malformed: 400,
    refusals.IdempotencyKeyMissing: 400,
    refusals.UnknownPaymentMethod: 400,
    refusals.Unauthorized: 401,
    refusals.PaymentNotFound: 404,
    refusals.OperationNotFound: 404,
    refusals.WebhookNotFound: 404,
    refusals.HoldNotFound: 404,
    refusals.ChallengeNotFound: 404,
    refusals.IllegalTransition: 409,
    refusals.ChallengeClosed: 409,
    refusals.ChallengeExpired: 410,
    refusals.WebhooksNotConfigured: 409,
    refusals.AmountOutOfRange: 422,
    refusals.AmountTooLarge: 422,
    refusals.RefundTooLarge: 422,
    refusals.ReturnUrlNotAllowed: 422,
    refusals.UnsupportedCurrency: 422,
    refusals.NotATestCard: 422,
    refusals.IdempotencyKeyReused: 422,
    refusals.BankUnreachable: 503,
}

TYPE_PREFIX = "urn:payment-provider:problem:"


def problem(status: int, title: str, name: str = "", **members: object) -> Answer:
    """A problem of type `urn:payment-provider:problem:<name>`, or about:blank without a name."""
    type_ = TYPE_PREFIX + name if name else "about:blank"
    body = {"type": type_, "title": title, "status": status, **members}
    return Answer(status, orjson.dumps(body), "application/problem+json")


def refused(refusal: refusals.Refusal) -> Answer:
    kind = type(refusal)
    return problem(STATUS_BY_REFUSAL[kind], refusal.title, name_of(kind), **refusal.members)


def name_of(kind: type[refusals.Refusal]) -> str:
    """PaymentNotFound -> payment-not-found, documented in docs/simulators.md."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower()
