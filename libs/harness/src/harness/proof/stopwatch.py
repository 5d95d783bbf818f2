"""What the proof of one flow costs, in ms by what it was spent on. Pure but for the clock."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

MS_PER_S = 1000


@dataclass(frozen=True)
class Cost:
    """waiting_ms: for the flow itself and for exporters; the others: work of the proof."""

    looks: int
    spans: int
    waiting_ms: float
    ledger_ms: float
    shop_ms: float
    store_ms: float

    @property
    def working_ms(self) -> float:
        return self.ledger_ms + self.shop_ms + self.store_ms

    def __str__(self) -> str:
        return (
            f"{self.spans} spans in {self.looks} looks: ledger {self.ledger_ms:.1f} ms, shop"
            f" {self.shop_ms:.1f} ms, store {self.store_ms:.1f} ms, waiting"
            f" {self.waiting_ms:.1f} ms"
        )


@dataclass
class Stopwatch:
    """Adds up the time of each part."""

    looks: int = 0
    _took_s: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextmanager
    def timing(self, part: str) -> Iterator[None]:
        before = time.perf_counter()
        try:
            yield
        finally:
            self._took_s[part] += time.perf_counter() - before

    def cost(self, spans: int) -> Cost:
        took_ms = {part: took_s * MS_PER_S for part, took_s in self._took_s.items()}
        return Cost(
            self.looks,
            spans,
            took_ms.get("waiting", 0.0),
            took_ms.get("ledger", 0.0),
            took_ms.get("shop", 0.0),
            took_ms.get("store", 0.0),
        )
