"""Redis, which counts attempts to log in. One method per call, each with a timeout."""

import hashlib
import math
import time

import redis
from limits import RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis.backoff import NoBackoff
from redis.retry import Retry

from auth.domain import LoginLimitUnavailable, TooManyLogins

# People mistype three or four times; guessing at this rate takes 190 years for 10^8 passwords.
LOGINS_PER_MINUTE = 10
# Redis answers in a millisecond or is as good as down.
TIMEOUT_S = 0.25


class LoginLimit:
    """Ten attempts in any minute for one e-mail address from one network address.

    url: of Redis. Connects at the first attempt, not before.
    """

    def __init__(self, url: str) -> None:
        storage = RedisStorage(
            url,
            connection_pool=redis.ConnectionPool.from_url(
                url,
                socket_connect_timeout=TIMEOUT_S,
                socket_timeout=TIMEOUT_S,
                retry=Retry(NoBackoff(), 0),
            ),
            wrap_exceptions=True,
        )
        self._limiter = MovingWindowRateLimiter(storage)
        self._limit = RateLimitItemPerMinute(LOGINS_PER_MINUTE, namespace="login")

    def count(self, email: str, address: str) -> None:
        """Count one attempt, right or wrong. Raises TooManyLogins, LoginLimitUnavailable.

        Fails closed: without Redis nobody logs in, or nothing would slow a guesser down.
        """
        who = _fingerprint(email, address)
        try:
            if self._limiter.hit(self._limit, who):
                return
            reset_at = self._limiter.get_window_stats(self._limit, who).reset_time
        except StorageError as error:
            raise LoginLimitUnavailable from error
        retry_after_s = max(1, math.ceil(reset_at - time.time()))
        raise TooManyLogins(f"try again in {retry_after_s} s", retry_after_s=retry_after_s)


def _fingerprint(email: str, address: str) -> str:
    """Redis need not know who tries to log in."""
    return hashlib.sha256(f"{email}\n{address}".encode()).hexdigest()
