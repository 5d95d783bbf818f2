"""Redis, which counts attempts. One method per question, each with a timeout.

A guesser is slowed down in three ways, and the person guessed at is not locked out by any:

- each network address tries so often a minute, whomever it tries;
- each account is tried so often a minute from one address;
- each account is tried so often an hour from all addresses together, but not counting those from
  which its owner logged in before. So a thousand addresses guess no faster than a few, and they
  use up a budget that the owner, at home, does not need (OWASP calls this a device cookie).
"""

import hashlib
import ipaddress
import math
import re
import time
from typing import Final

import redis
import structlog
from common.errors import TooManyRequests
from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis.backoff import NoBackoff
from redis.retry import Retry

from auth.domain import LoginLimitUnavailable, TooManyGuests, TooManyLogins, TooManyRegistrations
from auth.settings import Settings

# Redis answers in a millisecond or is as good as down.
TIMEOUT_S: Final = 0.25
# Whoever logs in once a month is known where they do it.
FAMILIAR_FOR_S: Final = 30 * 24 * 3600
# What one customer of a provider is given: who has one address has all of these (RFC 6177).
IPV6_PREFIX: Final = 64
# RFC 7239 §6; an IPv6 address with a port stands in brackets.
_WITH_PORT: Final = re.compile(r"(?:\[(?P<v6>[^]]+)\]|(?P<v4>[0-9.]+))(?::[0-9]+)?")

log = structlog.get_logger()


class Limits:
    """settings: how often, and where Redis is. Connects at the first attempt, not before."""

    def __init__(self, settings: Settings, *, timeout_s: float = TIMEOUT_S) -> None:
        pool = redis.ConnectionPool.from_url(
            settings.redis_url,
            socket_connect_timeout=timeout_s,
            socket_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
        )
        self._redis = redis.Redis(connection_pool=pool)
        self._limiter = MovingWindowRateLimiter(
            RedisStorage(settings.redis_url, connection_pool=pool, wrap_exceptions=True)
        )
        self._by_address = RateLimitItemPerMinute(
            settings.logins_per_minute_per_address, namespace="login-address"
        )
        self._by_account = RateLimitItemPerMinute(
            settings.logins_per_minute_per_account, namespace="login-account"
        )
        self._by_account_elsewhere = RateLimitItemPerHour(
            settings.logins_per_hour_per_account, namespace="login-elsewhere"
        )
        self._registrations = RateLimitItemPerMinute(
            settings.registrations_per_minute_per_address, namespace="registration"
        )
        self._guests = RateLimitItemPerMinute(
            settings.guest_tokens_per_minute_per_address, namespace="guest"
        )

    def count_login(self, account: str, address: str) -> None:
        """Count one attempt, right or wrong. Raises TooManyLogins, LoginLimitUnavailable.

        account: the canonical e-mail address, or a customer's id. An attempt that is refused
        by one limit is not counted by the next. Fails closed: without Redis nobody logs in, or
        nothing would slow a guesser down.
        """
        network = _network(address)
        here = _fingerprint(account, network)
        try:
            self._hit(TooManyLogins, self._by_address, _fingerprint(network))
            self._hit(TooManyLogins, self._by_account, here)
            if not self._redis.exists(_familiar(here)):
                self._hit(TooManyLogins, self._by_account_elsewhere, _fingerprint(account))
        except (StorageError, redis.RedisError) as error:
            raise LoginLimitUnavailable from error

    def remember_login(self, account: str, address: str) -> None:
        """It was right: from there the account's owner is not kept out by strangers."""
        here = _fingerprint(account, _network(address))
        try:
            self._redis.set(_familiar(here), b"", ex=FAMILIAR_FOR_S)
        except redis.RedisError as error:
            log.warning("login_not_remembered", error=type(error).__name__)

    def count_registration(self, address: str) -> None:
        """Raises TooManyRegistrations. Fails open: nothing is guessed by opening accounts."""
        self._hit_if_possible(TooManyRegistrations, self._registrations, address)

    def count_guest(self, address: str) -> None:
        """Raises TooManyGuests. Fails open: nothing is stored of a guest."""
        self._hit_if_possible(TooManyGuests, self._guests, address)

    def _hit_if_possible(
        self, refusal: type[TooManyRequests], limit: RateLimitItem, address: str
    ) -> None:
        try:
            self._hit(refusal, limit, _fingerprint(_network(address)))
        except StorageError as error:
            log.warning("limit_not_counted", limit=limit.namespace, error=type(error).__name__)

    def _hit(self, refusal: type[TooManyRequests], limit: RateLimitItem, who: str) -> None:
        if self._limiter.hit(limit, who):
            return
        reset_at = self._limiter.get_window_stats(limit, who).reset_time
        retry_after_s = max(1, math.ceil(reset_at - time.time()))
        raise refusal(f"try again in {retry_after_s} s", retry_after_s=retry_after_s)


def _network(address: str) -> str:
    """An IPv4 address, or the network that an IPv6 address's owner chooses from at will.

    address: as a proxy names it, perhaps with the port of the connection.
    """
    bare = _WITH_PORT.fullmatch(address)
    try:
        parsed = ipaddress.ip_address(bare["v6"] or bare["v4"] if bare else address)
    except ValueError:
        return address  # A unix socket's peer has none.
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    mapped = parsed.ipv4_mapped
    return str(mapped or ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))


def _familiar(fingerprint: str) -> str:
    return f"login-familiar/{fingerprint}"


def _fingerprint(*parts: str) -> str:
    """Redis need not know who tries to log in."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
