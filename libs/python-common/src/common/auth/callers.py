"""Who may call, and how a call is refused. Knows nothing of tokens' form."""

from dataclasses import dataclass
from enum import StrEnum

from common.errors import Forbidden, Unauthenticated


class Role(StrEnum):
    GUEST = "guest"  # shops without an account
    CUSTOMER = "customer"
    STAFF = "staff"  # may write to the catalog and to the stock
    SERVICE = "service"  # one of the seven, calling another


class InvalidToken(Unauthenticated):
    title = "The access token is missing or does not hold"


class NotAllowed(Forbidden):
    title = "Your role may not do this"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever holds a valid token.

    id: the customer's or guest's, or the service's name. session_id: the log-in that the token
    came from; guests and services have none.
    """

    id: str
    role: Role
    session_id: str | None = None
