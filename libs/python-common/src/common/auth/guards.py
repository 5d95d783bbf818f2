"""Which routes ask for a token, and what `caller()` answers within one."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar

from flask import Flask, current_app, g, request

from common.auth.callers import Caller, InvalidToken, NotAllowed, Role
from common.auth.modes import trusts
from common.auth.revocation import RevokedSessions
from common.auth.verifier import verify_by
from common.settings import ServiceSettings

_EXTENSION = "cartwright.auth"
_POLICY = "policy"

P = ParamSpec("P")
R = TypeVar("R")


def _none_is_revoked(_: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Guard:
    """verify: who a token speaks of; raises InvalidToken. is_revoked: takes a session's id."""

    verify: Callable[[str], Caller]
    is_revoked: Callable[[str], bool] = _none_is_revoked


def install(app: Flask, source: ServiceSettings | Guard) -> None:
    """Let *app*'s routes ask `caller()`; what it takes stays out of Flask's own config.

    source: the service's settings; or a Guard of its own. Raises ValueError for settings whose
    secret is under 32 bytes.
    """
    app.extensions[_EXTENSION] = source if isinstance(source, Guard) else _guard(source)


def _guard(source: ServiceSettings) -> Guard:
    return Guard(partial(verify_by, trusts(source)), RevokedSessions(source.redis_url).contains)


def caller() -> Caller:
    """Who sent this request. Raises InvalidToken; SigningKeysUnavailable when no key is known."""
    if "caller" not in g:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise InvalidToken
        guard: Guard = current_app.extensions[_EXTENSION]
        verified = guard.verify(token.strip())
        if verified.session_id and guard.is_revoked(verified.session_id):
            raise InvalidToken
        g.caller = verified
    found: Caller = g.caller
    return found


def requires(*roles: Role) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Refuse the route to every role but *roles*. Raises InvalidToken, NotAllowed."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            if caller().role not in roles:
                raise NotAllowed(f"this needs one of the roles {', '.join(roles)}")
            return view(*args, **kwargs)

        setattr(checked, _POLICY, roles)
        return checked

    return decorate


def public(view: Callable[P, R]) -> Callable[P, R]:
    """Marks a route that needs no token, so that forgetting to decide is told from deciding."""
    setattr(view, _POLICY, ())
    return view


def policy_of(view: Callable[..., Any]) -> tuple[Role, ...] | None:
    """The roles that may use *view*: none of them for a public one; None when nobody decided."""
    policy: tuple[Role, ...] | None = getattr(view, _POLICY, None)
    return policy
