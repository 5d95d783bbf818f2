"""Which sessions ended before their access tokens: told by Redis, asked from memory.

A sorted set of session ids by the time of their revocation. Each process reads what is new in it
at most every REFRESH_S, so a request costs a look-up in a set and no round trip.
"""

import threading
import time
from collections.abc import Iterable
from typing import Final, cast

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from common.auth.issuer import ACCESS_TOKEN_LIFETIME

KEY: Final = "auth:revoked-sessions"
# Revoked here, refused everywhere within this and a moment.
REFRESH_S: Final = 2.0
# Replicas of the auth service may write with clocks this far apart.
OVERLAP_S: Final = 5.0
# No token of the session outlives this, so nobody needs to remember it for longer.
REMEMBERED_S: Final = ACCESS_TOKEN_LIFETIME.total_seconds() + 60
# Redis answers in a millisecond or is as good as down.
TIMEOUT_S: Final = 0.25

log = structlog.get_logger()


class RevokedSessions:
    """url: of Redis. Connects at the first question, not before.

    Fails open: without Redis a revoked session's access token holds until it expires, ten
    minutes at most; to refuse everybody meanwhile would be the greater harm.
    """

    def __init__(
        self, url: str, *, refresh_s: float = REFRESH_S, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._redis = redis.Redis.from_url(
            url,
            socket_connect_timeout=timeout_s,
            socket_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )
        self._refresh_s = refresh_s
        self._refreshing = threading.Lock()
        self._refreshed_at = float("-inf")
        self._revoked_at: dict[str, float] = {}
        # The latest that was read of others: what we tell ourselves says nothing about them.
        self._read_until = 0.0

    def contains(self, session_id: str) -> bool:
        """Whether the session is known to be revoked, as of at most *refresh_s* ago."""
        due = time.monotonic() - self._refreshed_at >= self._refresh_s
        if due and self._refreshing.acquire(blocking=False):
            try:
                self._refresh()
            finally:
                self._refreshed_at = time.monotonic()
                self._refreshing.release()
        return session_id in self._revoked_at

    def add(self, session_ids: Iterable[str]) -> None:
        """Tell every process that these sessions are over; a warning if Redis cannot be told."""
        now = time.time()
        revoked = dict.fromkeys(session_ids, now)
        if not revoked:
            return
        self._revoked_at = self._revoked_at | revoked
        try:
            with self._redis.pipeline(transaction=True) as pipe:
                pipe.zadd(KEY, revoked)
                pipe.zremrangebyscore(KEY, "-inf", now - REMEMBERED_S)
                pipe.expire(KEY, int(REMEMBERED_S))
                pipe.execute()
        except redis.RedisError as error:
            log.warning("revocation_not_told", sessions=len(revoked), error=type(error).__name__)

    def _refresh(self) -> None:
        since = self._read_until - OVERLAP_S
        try:
            news = cast(
                "list[tuple[str, float]]",
                self._redis.zrange(KEY, since, "+inf", byscore=True, withscores=True),
            )
        except redis.RedisError as error:
            log.warning("revocations_not_read", error=type(error).__name__)
            return
        now = time.time()
        # A replica whose clock is ahead hides nothing from us.
        self._read_until = min(max((at for _, at in news), default=self._read_until), now)
        oldest = now - REMEMBERED_S
        known = self._revoked_at | dict(news)
        self._revoked_at = {member: at for member, at in known.items() if at > oldest}
