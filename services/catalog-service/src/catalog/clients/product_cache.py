"""Copies of products and counts in Redis, in front of PostgreSQL, which alone is right (ADR-0010).

A writer holds the entries before its transaction and outdates them, by revision, after the commit.
While an entry is held nobody reads or leaves a copy; a hold goes by itself if its writer dies. A
copy never replaces one of a later revision. One reader loads, the others wait for it or are served
what is a little old. Without Redis every answer is the same, only slower.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple, cast

import orjson
import redis
import structlog
from common.metrics import meter
from redis.backoff import NoBackoff
from redis.retry import Retry

from catalog.clients.scripts import HOLD, LOOK, OFFER, OUTDATE
from catalog.domain.products import Availability, Listing, Product

# Longer than any transaction of ours may last (10 s), and than a reader may take to load.
HOLD_S: Final = 15.0
# Older copies are served while one reader fetches a new one.
FRESH_S: Final = 30.0
# The longest that a copy can be wrong: when its writer could not reach Redis, or died between
# its commit and the news, after its hold had been replaced by another writer's news.
LIVES_S: Final = 60.0
# A reader who took longer may have read what was before somebody's hold: it leaves no copy.
LOAD_S_MAX: Final = 5.0
# Whoever loads does it within this, or somebody else may.
LOADING_S: Final = 0.5
# Others wait so long for the one who loads, ten times what it takes, and look so often.
WAIT_S: Final = 0.05
LOOK_AGAIN_S: Final = 0.005
# Redis answers in a millisecond or is as good as down.
TIMEOUT_S: Final = 0.1
# After a failure nobody waits for Redis again until then.
ASK_AGAIN_S: Final = 1.0
# Keys in one script: about a millisecond, during which Redis answers nobody else.
KEYS_MAX: Final = 500

log = structlog.get_logger()
reads = meter.create_counter("app.product.cache_reads", unit="{read}")

Load = Callable[[Sequence[str]], Mapping[str, Product]]


class Copy(NamedTuple):
    """revision: of what it is a copy of; 0 of what has none."""

    revision: int
    content: bytes


@dataclass(slots=True)
class _Seen:
    """copies: fresh or stale. to_load: ours to load. waiting: somebody else loads them."""

    copies: dict[str, bytes] = field(default_factory=dict)
    to_load: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)


class ProductCache:
    """url: of Redis. Connects at the first question, not before. Raises nothing of Redis's."""

    def __init__(
        self, url: str, *, timeout_s: float = TIMEOUT_S, ask_again_s: float = ASK_AGAIN_S
    ) -> None:
        self._redis = redis.Redis.from_url(
            url,
            socket_connect_timeout=timeout_s,
            socket_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
        )
        self._hold_script = self._redis.register_script(HOLD)
        self._look_script = self._redis.register_script(LOOK)
        self._offer_script = self._redis.register_script(OFFER)
        self._outdate_script = self._redis.register_script(OUTDATE)
        self._ask_again_s = ask_again_s
        self._ask_at = float("-inf")

    def read(self, skus: Sequence[str], load: Load) -> dict[str, Product]:
        """Those of *skus* (unique, at most 200) that there are; *load* gives what has no copy."""
        keys = {_key(sku): sku for sku in skus}

        def load_copies(missing: Sequence[str]) -> Mapping[str, Copy]:
            loaded.update(load([keys[key] for key in missing]))
            return {_key(sku): Copy(p.revision, _written(p)) for sku, p in loaded.items()}

        loaded: dict[str, Product] = {}
        found = self._read(list(keys), load_copies)
        return {
            sku: loaded[sku] if sku in loaded else _product(found[key])
            for key, sku in keys.items()
            if key in found
        }

    def remember(self, name: str, make: Callable[[], object]) -> bytes:
        """What *make* gives, as JSON; up to LIVES_S old. For counts, which nobody sells by."""
        key = f"catalog:1:{name}"
        return self._read([key], lambda _: {key: Copy(0, orjson.dumps(make()))})[key]

    def hold(self, skus: Collection[str]) -> None:
        """Have everybody ask PostgreSQL for these, until `outdate` or for HOLD_S."""
        for keys in _portions(list(skus)):
            with self._asking() as may_ask:
                if not may_ask:
                    return
                self._hold_script([_key(sku) for sku in keys], [_ms(HOLD_S)])

    def outdate(self, held: Collection[str], revisions: Mapping[str, int]) -> None:
        """After the commit: let go of *held*, and let no copy older than *revisions* come back."""
        for keys in _portions(list(held)):
            with self._asking() as may_ask:
                if not may_ask:
                    return
                arguments = [revisions.get(sku, 0) for sku in keys]
                self._outdate_script([_key(sku) for sku in keys], [_ms(LIVES_S), *arguments])

    def _read(
        self, keys: Sequence[str], load: Callable[[Sequence[str]], Mapping[str, Copy]]
    ) -> dict[str, bytes]:
        """The copies of *keys*; those that nobody has, *load* makes."""
        seen = self._look(keys)
        if seen is None:
            reads.add(len(keys), {"outcome": "down"})
            return {key: copy.content for key, copy in load(keys).items()}
        if seen.waiting and not seen.to_load:
            seen = self._wait(keys, seen)
        reads.add(len(seen.copies), {"outcome": "hit"})
        missing = [*seen.to_load, *seen.waiting]
        if not missing:
            return seen.copies
        reads.add(len(missing), {"outcome": "miss"})
        began = time.monotonic()
        loaded = load(missing)
        took_s = time.monotonic() - began
        self._offer(missing, loaded if took_s < LOAD_S_MAX else {})
        return seen.copies | {key: copy.content for key, copy in loaded.items()}

    def _look(self, keys: Sequence[str]) -> _Seen | None:
        """None when Redis does not answer."""
        with self._asking() as may_ask:
            if not may_ask:
                return None
            answers = cast("list[bytes]", self._look_script(list(keys), [_ms(LOADING_S)]))
            return _sorted(keys, answers)
        return None

    def _wait(self, keys: Sequence[str], seen: _Seen) -> _Seen:
        """Until nobody else is loading what we want, or WAIT_S have gone."""
        give_up_at = time.monotonic() + WAIT_S
        while seen.waiting and not seen.to_load and time.monotonic() < give_up_at:
            time.sleep(LOOK_AGAIN_S)
            again = self._look(keys)
            if again is None:
                return seen
            seen = again
        return seen

    def _offer(self, keys: Sequence[str], loaded: Mapping[str, Copy]) -> None:
        """Copies for others; those of *keys* that were not loaded somebody else may load."""
        with self._asking() as may_ask:
            if not may_ask:
                return
            arguments: list[int | bytes] = [_ms(FRESH_S), _ms(LIVES_S)]
            for key in keys:
                copy = loaded.get(key)
                arguments += [copy.revision, copy.content] if copy else [0, b""]
            self._offer_script(list(keys), arguments)

    def _asking(self) -> "_Asking":
        return _Asking(self)

    def may_ask(self) -> bool:
        return time.monotonic() >= self._ask_at

    def failed(self, error: redis.RedisError) -> None:
        self._ask_at = time.monotonic() + self._ask_again_s
        log.warning("product_cache_down", error=type(error).__name__)


class _Asking:
    """Whether Redis may be asked; what it raises ends the block, and the asking for a while."""

    def __init__(self, cache: ProductCache) -> None:
        self._cache = cache

    def __enter__(self) -> bool:
        return self._cache.may_ask()

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        if isinstance(error, redis.RedisError):
            self._cache.failed(error)
            return True
        return False


def _sorted(keys: Sequence[str], answers: Sequence[bytes]) -> _Seen:
    seen = _Seen()
    for key, answer in zip(keys, answers, strict=True):
        state, copy = answer[:1], answer[1:]
        if state in b"fs":
            seen.copies[key] = copy
        elif state in b"lh":
            seen.to_load.append(key)
        else:
            seen.waiting.append(key)
    return seen


def _key(sku: str) -> str:
    return f"catalog:1:product:{sku}"  # 1: the form of the entry, for when it changes.


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _portions(skus: Sequence[str]) -> list[Sequence[str]]:
    return [skus[start : start + KEYS_MAX] for start in range(0, len(skus), KEYS_MAX)]


def _written(product: Product) -> bytes:
    listing = product.listing
    return orjson.dumps(
        [
            [getattr(listing, name) for name in Listing.__slots__],
            product.availability,
            product.version,
            product.revision,
            product.created_at,
            product.updated_at,
        ]
    )


def _product(copy: bytes) -> Product:
    listing, availability, version, revision, created_at, updated_at = cast(
        "list[Any]", orjson.loads(copy)
    )
    return Product(
        Listing(*listing),
        Availability(availability),
        version,
        revision,
        datetime.fromisoformat(created_at),
        datetime.fromisoformat(updated_at),
    )
