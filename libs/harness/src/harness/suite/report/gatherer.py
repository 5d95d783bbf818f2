"""What the shop has of an order, for the report: its flow, mails, ledger and stock. Read only."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import psycopg2
import psycopg2.extensions

from harness.proof.flows import Proof
from harness.shopper.scenario_shop import ScenarioShop
from harness.suite.report import drawing
from harness.suite.report.recording import Flow
from harness.traces.causality import Trace
from harness.traces.page import trace_page

FLOWS_MAX = 12  # A crowd of buyers is one story told often.
TRACE = "{trace}"
TRACE_OF = """
SELECT id::text, split_part(traceparent, '-', 2) FROM "order".orders
 WHERE id = ANY(%s::uuid[]) AND traceparent IS NOT NULL
"""
LEDGER = """
SELECT l.account, l.amount_minor::text, l.currency FROM payment.ledger_entries l
  JOIN payment.payments p ON p.id = l.payment_id WHERE p.order_id = %s ORDER BY l.id
"""
STOCK = """
SELECT sku, reason, delta_on_hand::text, delta_reserved::text FROM inventory.movements
 WHERE order_id = %s ORDER BY id
"""


@dataclass
class Gatherer:
    """Of one shop; keeps a connection to its books, if they are open to us. Use it with `with`."""

    shop: ScenarioShop
    _books: psycopg2.extensions.connection | None = field(default=None, init=False)
    _pages: dict[str, str] = field(default_factory=dict, init=False)

    def __enter__(self) -> Self:
        if self.shop.endpoints.auditor_dsn:
            self._books = psycopg2.connect(self.shop.endpoints.auditor_dsn)
            self._books.autocommit = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._books:
            self._books.close()

    def flows(
        self, traces: Mapping[str, str], proof: Proof | None, *, keep: bool = False
    ) -> Iterator[Flow]:
        """traces: order id -> trace id. proof: whose last flow, if it is one of these, is whole.

        keep: with all that the store has of it, for when the store is gone.
        """
        for order_id, trace_id in list(traces.items())[:FLOWS_MAX]:
            frozen = proof.frozen(trace_id) if proof else None
            trace = frozen.trace if frozen else self.shop.traces.fetch(trace_id) or Trace(())
            arrows = drawing.arrows(trace)
            yield Flow(
                order_id,
                trace_id,
                self._page_of(trace_id),
                bool(frozen and not frozen.gaps),
                drawing.bars(trace),
                arrows[: drawing.ARROWS_MAX],
                len(trace.spans),
                len(arrows),
                [
                    [mail["kind"], ", ".join(mail["to"]), mail["subject"]]
                    for mail in self.shop.mails(order_id)
                ],
                self._rows(LEDGER, order_id),
                self._rows(STOCK, order_id),
                self.shop.traces.fetch_otlp(trace_id) if keep else None,
            )

    def traces_of(self, order_ids: Sequence[str]) -> dict[str, str]:
        """Order id -> the trace it was placed in, for those that the books know."""
        if not order_ids:
            return {}
        found = {str(row[0]): str(row[1]) for row in self._rows(TRACE_OF, list(order_ids))}
        return {order_id: found[order_id] for order_id in order_ids if order_id in found}

    def _rows(self, query: str, value: Any) -> list[Sequence[str]]:
        if self._books is None:
            return []
        with self._books.cursor() as cursor:
            cursor.execute(query, (value,))
            return [[str(cell) for cell in row] for row in cursor.fetchall()]

    def _page_of(self, trace_id: str) -> str:
        """Whether the store has pages is asked once; their addresses differ by the trace only."""
        url = self.shop.endpoints.trace_query_url
        if url not in self._pages:
            self._pages[url] = trace_page(url, trace_id).replace(trace_id, TRACE)
        return self._pages[url].replace(TRACE, trace_id)
