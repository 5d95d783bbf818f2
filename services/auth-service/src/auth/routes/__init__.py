"""HTTP in, HTTP out. Parses, hashes, opens the transaction, calls one use case, renders."""

from auth.routes.customers import customers
from auth.routes.oauth import oauth
from auth.routes.sessions import sessions
from auth.routes.tokens import tokens

__all__ = ["customers", "oauth", "sessions", "tokens"]
