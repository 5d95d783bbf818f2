"""The ways a request can be refused. Pure: knows nothing of HTTP.

A service subclasses one of these per refusal it can explain to a caller;
`common.problems` turns them into RFC 9457 responses at the edge.
"""


class Refusal(Exception):
    """A foreseen refusal. Anything else that escapes is a bug and becomes a 500.

    title: constant per class; the caller may show it to a person.
    detail: this occurrence; never holds secrets, card data or SQL.
    members: machine-readable members, e.g. ``sku="1082185", available=0``.
    """

    title = "Request refused"

    def __init__(self, detail: str = "", **members: object) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.members = members


class Malformed(Refusal):
    """The request is not of the form the contract gives. Mend the client."""


class Invalid(Refusal):
    """The request is well-formed but breaks a rule. Do not retry."""


class Unauthenticated(Refusal):
    """Nobody we know: no credentials, or credentials that do not hold."""


class Forbidden(Refusal):
    """You are known, and may not do this."""


class NotFound(Refusal):
    """No such thing, or not yours to see."""


class Conflict(Refusal):
    """The thing is not in a state that allows this. Re-read, then decide."""


class PreconditionFailed(Refusal):
    """The thing is not of the version you know (RFC 9110 §15.5.13). Re-read, then decide."""


class PreconditionRequired(Refusal):
    """Say which version you are changing: a lost update is worse than a refused one (RFC 6585)."""


class TooLarge(Refusal):
    """More than is taken at once (RFC 9110 §15.5.14). Send less, or in parts."""


class UnsupportedMediaType(Refusal):
    """The body is not of a media type that this route takes (RFC 9110 §15.5.16)."""


class TooManyRequests(Refusal):
    """You, or everybody, asked too often. Retry after the time given."""


class Unavailable(Refusal):
    """A dependency did not answer. Safe to retry with the same idempotency key."""


class IllegalTransition(Exception):
    """A message asks for a state change that the state machine forbids.

    Raised by handlers. No redelivery can mend it, so the worker moves the message to
    the dead-letter queue with this as the reason.
    """
