"""The token with which one service calls another; nobody passes a shopper's on."""

import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final

import httpx

from common import calls, deadline, tracing
from common.auth.callers import Caller, Role
from common.auth.issuer import SERVICE_TOKEN_LIFETIME, issue
from common.errors import Unavailable
from common.settings import ServiceSettings

# A token this near its end is renewed: longer than any request of ours may take.
RENEW_BEFORE_S: Final = 60.0
# While the auth service is away the old token is used on, and it is asked again this often.
ASK_AGAIN_S: Final = 1.0
TIMEOUT: Final = httpx.Timeout(2.0, connect=0.25)


class ServiceTokenUnavailable(Unavailable):
    title = "The services cannot identify themselves to one another right now"


@dataclass(frozen=True, slots=True)
class Granted:
    """lifetime_s: from when it was asked for."""

    token: str
    lifetime_s: float


class ServiceToken(httpx.Auth):
    """Signs an `httpx.Client`'s requests: ``httpx.Client(auth=service_token(settings))``.

    grant: gets a new token; raises httpx.HTTPError, or ValueError or KeyError for an answer that is
    none. Threads share one: one of them renews, the
    others go on with the old token. A 401 drops the token and the request is sent once more.
    For sync clients; raises ServiceTokenUnavailable when there is no token at all.

    Nobody waits for a token longer than their own caller waits for them. Who has less time than
    TIMEOUT does not renew early; who needs a token and runs out of time has learnt nothing about
    the auth service, so the next, who has more, asks again.
    """

    def __init__(self, grant: Callable[[], Granted]) -> None:
        self._grant = grant
        self._granting = threading.Lock()
        self._token: str | None = None
        self._granted_at = self._expires_at = self._renew_at = float("-inf")

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        token = self._sign(request)
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED and self._drop(token):
            self._sign(request)
            yield request

    def token(self) -> str:
        """One that holds for a while. Raises ServiceTokenUnavailable."""
        if time.monotonic() >= self._renew_at and self._take_turn():
            try:
                self._renew()
            finally:
                self._granting.release()
        token = self._current()
        if token is None:
            raise ServiceTokenUnavailable
        return token

    def _take_turn(self) -> bool:
        if self._current() is None:
            return deadline.take(self._granting)
        return not deadline.is_short(TIMEOUT) and self._granting.acquire(blocking=False)

    def _sign(self, request: httpx.Request) -> str:
        """The token that *request* now carries; what it took, *request* no longer has."""
        token = self.token()
        request.headers["Authorization"] = f"Bearer {token}"
        request.headers.update(deadline.header())
        timeout = deadline.bound(httpx.Timeout(**request.extensions["timeout"]))
        request.extensions["timeout"] = timeout.as_dict()
        return token

    def _current(self) -> str | None:
        return self._token if time.monotonic() < self._expires_at else None

    def _renew(self) -> None:
        asked_at = time.monotonic()
        if asked_at < self._renew_at:  # Somebody did while we waited.
            return
        is_short = deadline.is_short(TIMEOUT)
        try:
            granted = self._grant()
        except (httpx.HTTPError, ValueError, KeyError) as error:
            has_none = self._current() is None
            if not (has_none and is_short and isinstance(error, httpx.TimeoutException)):
                self._renew_at = time.monotonic() + ASK_AGAIN_S
            if has_none:
                raise ServiceTokenUnavailable from error
            return
        self._token = granted.token
        self._granted_at = asked_at
        self._expires_at = asked_at + granted.lifetime_s
        self._renew_at = asked_at + max(granted.lifetime_s - RENEW_BEFORE_S, granted.lifetime_s / 2)

    def _drop(self, token: str) -> bool:
        """Whether another token is worth a try: a brand-new one will be refused like this one."""
        if not deadline.take(self._granting):
            return False
        try:
            if self._token != token:
                return True  # Somebody has got a new one already.
            if time.monotonic() - self._granted_at < ASK_AGAIN_S:
                return False
            self._expires_at = self._renew_at = float("-inf")
            return True
        finally:
            self._granting.release()


def service_token(settings: ServiceSettings) -> httpx.Auth:
    """This service's own token, fetched, kept and renewed.

    With HS256 it is made here from the shared secret, without a call: development only, as that
    secret is. Else the auth service grants it for our client id and secret (RFC 6749 §4.4).
    """
    name = settings.service_client_id or tracing.service_name()
    if settings.auth_mode == "hs256":
        return ServiceToken(_made_here(settings.jwt_secret.get_secret_value(), name))
    url = f"{settings.auth_url.rstrip('/')}/oauth2/token"
    secret = settings.service_client_secret.get_secret_value()
    http = httpx.Client(timeout=TIMEOUT, auth=httpx.BasicAuth(name, secret))
    return ServiceToken(_granted(http, url))


def _made_here(secret: str, name: str) -> Callable[[], Granted]:
    caller = Caller(name, Role.SERVICE)

    def grant() -> Granted:
        token = issue(secret, caller, lifetime=SERVICE_TOKEN_LIFETIME)
        return Granted(token, SERVICE_TOKEN_LIFETIME.total_seconds())

    return grant


def _granted(http: httpx.Client, url: str) -> Callable[[], Granted]:
    """http: identifies us to the token endpoint at *url*."""

    def grant() -> Granted:
        asked = {"grant_type": "client_credentials"}
        within_s, timeout = deadline.for_a_call_s(), deadline.bound(TIMEOUT)
        response = calls.answer(http, "POST", url, within_s=within_s, data=asked, timeout=timeout)
        response.raise_for_status()
        answer = response.json()
        return Granted(str(answer["access_token"]), float(answer["expires_in"]))

    return grant
