"""An issuer's public keys (RFC 7517), fetched rarely and kept: verifying a token asks nobody.

PyJWT parses the keys. Its PyJWKClient is not used: it holds one lock over every look-up while it
fetches, so that one slow answer stops all threads; it forgets the keys it has when a fetch fails
after they aged; it asks a broken issuer again for every token; and it reads answers of any size.
"""

import threading
import time
from collections.abc import Mapping
from typing import Any, Final

import httpx
import orjson
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from common import deadline
from common.errors import Unavailable

# RFC 8725 §3.1, and what Cognito signs with. No HMAC: a public key is nobody's secret.
ALGORITHMS: Final = frozenset({"RS256", "ES256", "EdDSA"})
RSA_BITS_MIN: Final = 2048  # NIST SP 800-131A
# The auth service publishes a key for longer than this before it signs with it (ADR-0009).
FRESH_S: Final = 60.0
# While the issuer is away its keys are believed for an hour: an outage there is none here.
BELIEVED_S: Final = 3600.0
# An unknown `kid` may be a new key, or somebody's way to have us ask: at most this often.
ASK_AGAIN_S: Final = 10.0
# Sooner after a failure: without any key every request is refused meanwhile.
ASK_AGAIN_AFTER_FAILURE_S: Final = 1.0
TIMEOUT: Final = httpx.Timeout(2.0, connect=0.5)
# Twenty RSA keys; more is not a key set.
BYTES_MAX: Final = 64 * 1024

log = structlog.get_logger()


class SigningKeysUnavailable(Unavailable):
    title = "Access tokens cannot be verified right now"


class Jwks:
    """The keys at *url*. Threads share one; a fetch holds up only those who need its answer, and
    them no longer than their own callers wait. See ServiceToken for who has less time than that.
    """

    def __init__(
        self,
        url: str,
        *,
        fresh_s: float = FRESH_S,
        believed_s: float = BELIEVED_S,
        ask_again_s: float = ASK_AGAIN_S,
        ask_again_after_failure_s: float = ASK_AGAIN_AFTER_FAILURE_S,
        client: httpx.Client | None = None,
    ) -> None:
        self._url = url
        self._fresh_s = fresh_s
        self._believed_s = believed_s
        self._ask_again_s = ask_again_s
        self._ask_again_after_failure_s = ask_again_after_failure_s
        self._http = client or httpx.Client(timeout=TIMEOUT, follow_redirects=False)
        self._keys: Mapping[str, PyJWK] = {}
        self._fetched_at = float("-inf")
        self._ask_at = float("-inf")
        self._fetching = threading.Lock()

    def find(self, kid: str | None) -> PyJWK | None:
        """The key of that id.

        Raises SigningKeysUnavailable when no key at all is known, or when there was no time to
        ask for this one: then it may be good, which a 401 would deny.
        """
        if kid is None:
            return None
        now = time.monotonic()
        if kid not in self._believed(now):
            self._ask(wait=True)  # This request hangs on the answer.
        elif now - self._fetched_at > self._fresh_s:
            self._ask(wait=False)  # Whoever comes first asks; the others go on with what is known.
        keys = self._believed(time.monotonic())
        if not keys:
            raise SigningKeysUnavailable
        return keys.get(kid)

    def _believed(self, now: float) -> Mapping[str, PyJWK]:
        return self._keys if now - self._fetched_at <= self._believed_s else {}

    def _ask(self, *, wait: bool) -> None:
        """Fetch, unless that was done just now, or somebody is at it and we need not *wait*."""
        now = time.monotonic()
        if now < self._ask_at:
            return
        # What is cut short says nothing of the issuer, so it does not keep others from asking. Who
        # is short of time asks for the first keys only, or anybody could have us ask at any rate.
        if deadline.is_short(self._http.timeout) and self._believed(now):
            if wait:
                raise SigningKeysUnavailable
            return
        if wait and not deadline.take(self._fetching):
            raise SigningKeysUnavailable
        if not wait and not self._fetching.acquire(blocking=False):
            return
        is_short = deadline.is_short(self._http.timeout)
        try:
            if time.monotonic() < self._ask_at:  # Somebody did while we waited.
                return
            began = time.monotonic()
            self._keys = parse(self._fetch())
            # As old as the question: a key published while the answer was on its way is not in it.
            self._fetched_at = began
            # Only now, so that whoever comes during the fetch waits for it.
            self._ask_at = began + self._ask_again_s
        except (httpx.HTTPError, ValueError) as error:
            if wait and is_short and isinstance(error, httpx.TimeoutException):
                raise SigningKeysUnavailable from error
            self._ask_at = time.monotonic() + self._ask_again_after_failure_s
            log.warning("jwks_not_fetched", url=self._url, error=type(error).__name__)
        finally:
            self._fetching.release()

    def _fetch(self) -> bytes:
        """Raises httpx.HTTPError; ValueError for an answer that is too long."""
        body = b""
        timeout = deadline.bound(self._http.timeout)
        with self._http.stream("GET", self._url, timeout=timeout) as response:
            if response.status_code != httpx.codes.OK:
                raise httpx.HTTPStatusError("not 200", request=response.request, response=response)
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > BYTES_MAX:
                    raise ValueError("longer than a key set is")
        return body


def parse(body: bytes) -> dict[str, PyJWK]:
    """The usable keys of a JWK set by their id; others are passed over (RFC 7517 §5).

    Raises ValueError for what is no key set, or has no usable key.
    """
    document = orjson.loads(body)
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("not a key set")
    keys = [key for key in map(_usable, listed) if key]
    if not keys:
        raise ValueError("no usable key")
    return {str(key.key_id): key for key in keys}


def _usable(member: Any) -> PyJWK | None:
    """The key, if it is public, for signatures, of one of ALGORITHMS and strong enough."""
    if not isinstance(member, dict) or not isinstance(member.get("kid"), str):
        return None
    if member.get("use", "sig") != "sig" or "d" in member:
        return None
    if "alg" in member and member["alg"] not in ALGORITHMS:  # PyJWT cannot make a key of `none`.
        return None
    try:
        key = PyJWK(member)
    except PyJWTError as error:
        log.warning("jwk_not_usable", kid=member["kid"], error=type(error).__name__)
        return None
    if key.algorithm_name not in ALGORITHMS:
        return None
    if isinstance(key.key, RSAPublicKey) and key.key.key_size < RSA_BITS_MIN:
        return None
    return key
