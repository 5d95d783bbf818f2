"""Every request the provider refuses, and why. Knows nothing of HTTP; `problems` picks statuses."""


class Refusal(Exception):
    """A foreseen refusal; `title` is constant per class, `members` are for machines.

    Members never hold card data: a refusal ends up in answers, in the book and in spans.
    """

    title = "The request was refused"

    def __init__(self, **members: object) -> None:
        super().__init__(self.title)
        self.members = members


class IllegalTransition(Refusal):
    title = "The payment is not in a state that allows this"


class AmountOutOfRange(Refusal):
    title = "The amount is outside what the provider moves"


class AmountTooLarge(Refusal):
    title = "The amount is larger than what was authorized"


class RefundTooLarge(Refusal):
    title = "The amount is larger than what is left to refund"


class UnsupportedCurrency(Refusal):
    title = "The provider does not take this currency"


class UnknownPaymentMethod(Refusal):
    title = "No such payment method"


class NotATestCard(Refusal):
    title = "The card number is none of the documented test cards"


class PaymentNotFound(Refusal):
    title = "No such payment"


class OperationNotFound(Refusal):
    title = "No request with this Idempotency-Key was carried out"


class WebhookNotFound(Refusal):
    title = "No such webhook"


class WebhooksNotConfigured(Refusal):
    title = "The provider was not told where to send webhooks"


class HoldNotFound(Refusal):
    title = "The webhooks of this reference are not held back"


class ReturnUrlNotAllowed(Refusal):
    title = "The provider does not send shoppers there"


class ChallengeNotFound(Refusal):
    title = "There is no such challenge"


class ChallengeClosed(Refusal):
    title = "The challenge was decided or called off already"


class ChallengeExpired(Refusal):
    title = "The challenge has expired"


class BankUnreachable(Refusal):
    title = "The shopper's bank does not answer"


class Unauthorized(Refusal):
    title = "The API key is missing or wrong"


class IdempotencyKeyMissing(Refusal):
    title = "Every POST needs an Idempotency-Key of 1 to 255 printable ASCII characters"


class IdempotencyKeyReused(Refusal):
    title = "The Idempotency-Key was used for another request"


class Malformed(Refusal):
    title = "The request is malformed"
