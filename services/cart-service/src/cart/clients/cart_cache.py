"""Copies of carts in Redis, in front of PostgreSQL, which alone is right (ADR-0011).

A writer holds the cart's entry before its transaction and puts the new version after the commit.
While an entry is held readers ask PostgreSQL and leave no copy, so that nobody finds the cart of
before; a hold that its writer does not live to replace goes by itself. A copy never replaces a
newer one. Without Redis every answer is the same, only slower.
"""

import threading
import time
from collections.abc import Collection, Sequence
from itertools import islice
from typing import Final, cast

import orjson
import redis
import structlog
from common.ids import new_id
from common.metrics import meter
from redis.backoff import NoBackoff
from redis.retry import Retry

from cart.domain import Cart, Line

# Longer than any transaction of ours may last, worker's batch of ten included.
HOLD_S: Final = 10
# A shopper looks again within the minute, or is gone. Also the longest that a copy can be wrong:
# when Redis lost the news of a change together with the process that owed it.
COPY_LIVES_S: Final = 60
# Redis answers in a millisecond or is as good as down.
TIMEOUT_S: Final = 0.1
# After a failure nobody waits for Redis again until then.
ASK_AGAIN_S: Final = 1.0
# When this many are owed, those are forgotten that no copy outlives: a process changes fewer carts
# than that within COPY_LIVES_S.
OWED_MAX: Final = 100_000
# Told at once: some five milliseconds of a request's time, once Redis is back.
SETTLE_BATCH: Final = 500
HELD: Final = "held"

# KEYS[1]: the entry. ARGV: version, copy, seconds it lives, the hold of who puts it, and 1 if that
# is a writer.
# Only the latest hold's writer replaces it: one that was slow to put an old version would else put
# it over the hold of the writer after the next, whose predecessor was answered long ago. Writers
# commit in another order than they hold; so another's newer copy waits in the hold for its end.
PUT: Final = """
local function version(copy) return tonumber(string.match(copy, '^%d+')) or -1 end
local present = redis.call('GET', KEYS[1])
local newest = ARGV[1] .. ':' .. ARGV[2]
if present and string.sub(present, 1, 4) == 'held' then
  local hold, waiting = string.match(present, '^held:([^|]*)|?(.*)$')
  if version(waiting) > version(newest) then newest = waiting end
  if hold ~= ARGV[4] then
    if ARGV[5] == '1' then
      redis.call('SET', KEYS[1], 'held:' .. hold .. '|' .. newest, 'KEEPTTL')
    end
    return 0
  end
elseif present and version(present) >= version(newest) then
  return 0
end
redis.call('SET', KEYS[1], newest, 'EX', ARGV[3])
return 1
"""

log = structlog.get_logger()
reads = meter.create_counter("app.cart.cache_reads", unit="{read}")


class CartCache:
    """url: of Redis. Connects at the first question, not before. Raises nothing of Redis's."""

    def __init__(
        self, url: str, *, timeout_s: float = TIMEOUT_S, ask_again_s: float = ASK_AGAIN_S
    ) -> None:
        self._redis = redis.Redis.from_url(
            url,
            socket_connect_timeout=timeout_s,
            socket_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )
        self._put = self._redis.register_script(PUT)
        self._ask_again_s = ask_again_s
        self._ask_at = float("-inf")
        # Carts that changed while Redis could not be told, and until when it matters.
        self._owed: dict[str, float] = {}
        self._lock = threading.Lock()
        self._mine = threading.local()  # What this thread has held: customer id -> hold

    def get(self, customer_id: str) -> Cart | None:
        """The copy; None if there is none, or it may not be right."""
        if not self.settle():
            reads.add(1, {"outcome": "down"})
            return None
        try:
            entry = cast("str | None", self._redis.get(_key(customer_id)))
        except redis.RedisError as error:
            self._failed(error)
            reads.add(1, {"outcome": "down"})
            return None
        found = None if entry is None or entry.startswith(HELD) else _cart(customer_id, entry)
        reads.add(1, {"outcome": "hit" if found else "miss"})
        return found

    def offer(self, cart: Cart) -> None:
        """A reader's copy: taken unless the entry is held or as new."""
        self._store(cart, by_writer=False)

    def put(self, cart: Cart) -> None:
        """A writer's copy, after its commit: taken unless there is a newer one."""
        self._store(cart, by_writer=True)

    def hold(self, customer_ids: Collection[str]) -> None:
        """Have readers of these carts ask PostgreSQL until `put`, or for HOLD_S.

        What cannot be told now is owed, and told before this process believes Redis again.
        """
        if not customer_ids:
            return
        self._owe(customer_ids)
        hold = new_id()
        self._settle(hold)
        # Only what was told here, before the transaction, may be replaced after it. Whoever tells
        # on another's behalf, later, would else put an old version over a newer one.
        self._mine.held = dict.fromkeys(customer_ids, hold)

    def settle(self) -> bool:
        """Whether Redis answers and has been told all that is owed to it."""
        return self._settle(new_id())

    def _settle(self, hold: str) -> bool:
        if time.monotonic() < self._ask_at:
            return False
        if not self._owed:
            return True
        with self._lock:
            owed = list(islice(self._owed.items(), SETTLE_BATCH))
        try:
            self._tell([customer_id for customer_id, _ in owed], hold)
        except redis.RedisError as error:
            self._failed(error)
            return False
        with self._lock:
            for customer_id, until in owed:
                if self._owed.get(customer_id) == until:  # Else it changed again meanwhile.
                    del self._owed[customer_id]
            return not self._owed

    def _tell(self, customer_ids: Sequence[str], hold: str) -> None:
        if len(customer_ids) == 1:  # Nearly always, and a pipeline costs half as much again.
            self._redis.set(_key(customer_ids[0]), f"{HELD}:{hold}", ex=HOLD_S)
            return
        with self._redis.pipeline(transaction=False) as pipe:
            for customer_id in customer_ids:
                pipe.set(_key(customer_id), f"{HELD}:{hold}", ex=HOLD_S)
            pipe.execute()

    def _store(self, cart: Cart, *, by_writer: bool) -> None:
        if not self.settle():
            # A copy from before may still be there when Redis is back.
            if by_writer:
                self._owe([cart.customer_id])
            return
        copy = orjson.dumps([[line.sku, line.quantity] for line in cart.lines]).decode()
        hold = getattr(self._mine, "held", {}).pop(cart.customer_id, "") if by_writer else ""
        try:
            arguments = [cart.version, copy, COPY_LIVES_S, hold, int(by_writer)]
            self._put([_key(cart.customer_id)], arguments)
        except redis.RedisError as error:
            self._failed(error)
            if by_writer:
                self._owe([cart.customer_id])

    def _owe(self, customer_ids: Collection[str]) -> None:
        """For as long as a copy from before can live."""
        now = time.monotonic()
        with self._lock:
            if len(self._owed) + len(customer_ids) > OWED_MAX:
                self._owed = {who: until for who, until in self._owed.items() if until > now}
            self._owed.update(dict.fromkeys(customer_ids, now + COPY_LIVES_S))

    def _failed(self, error: redis.RedisError) -> None:
        self._ask_at = time.monotonic() + self._ask_again_s
        log.warning("cart_cache_down", error=type(error).__name__)


def _key(customer_id: str) -> str:
    return f"cart:1:{customer_id}"  # 1: the form of the entry, for when it changes.


def _cart(customer_id: str, entry: str) -> Cart:
    version, _, copy = entry.partition(":")
    lines = tuple(Line(sku, quantity) for sku, quantity in orjson.loads(copy))
    return Cart(customer_id, lines, int(version))
