"""The flows of one shop, frozen on demand and kept until something begins in them again."""

import os
from types import TracebackType
from typing import Self

from harness.proof.flow import Flow
from harness.proof.motion import Stirring
from harness.proof.quiescence import WHOLE_WITHIN_S, Barrier, Frozen
from harness.proof.stopwatch import Cost
from harness.shopper.scenario_shop import ScenarioShop
from harness.traces import export, span_ledger
from harness.traces.ledger_writer import DIRECTORY_VARIABLE
from harness.traces.page import trace_page

# Every service of ours is two processes; each keeps a ledger of its own.
ROLES = ("web", "worker")


class Proof:
    """Use it with `with`. costs: what each freezing took, in order."""

    def __init__(self, shop: ScenarioShop) -> None:
        endpoints = shop.endpoints
        # A shop that was started by somebody else may keep its ledgers where we are told.
        directory = endpoints.span_ledger_dir or os.environ.get(DIRECTORY_VARIABLE, "")
        self._query_url = endpoints.trace_query_url
        self._stirring = Stirring(endpoints) if endpoints.auditor_dsn else None
        self._barrier = Barrier(
            shop.traces,
            span_ledger.of(directory),
            self._stirring,
            shop.consumers,
            frozenset((service, role) for service in endpoints.services for role in ROLES),
            export.flush,
            self._page_of,
        )
        self._frozen: Frozen | None = None
        self.costs: list[Cost] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._stirring:
            self._stirring.close()

    def flow(self, trace_id: str, within_s: float = WHOLE_WITHIN_S) -> Flow:
        """The flow of *trace_id* once it is over; the same object's worth until it goes on.

        Raises TraceIncomplete. Keeps the last one only: scenarios look at one flow at a time.
        """
        kept = self._frozen
        if kept is None or kept.trace_id != trace_id or not self._barrier.is_still(kept):
            kept = self._frozen = self._barrier.freeze(trace_id, within_s)
            if kept.cost:
                self.costs.append(kept.cost)
        return Flow.of(kept, self._page_of(trace_id))

    def stirs(self, trace_id: str) -> list[str]:
        """What of the flow of *trace_id* still moves; nothing where the books are closed to us."""
        return self._stirring(trace_id) if self._stirring else []

    def frozen(self, trace_id: str) -> Frozen | None:
        """The flow of *trace_id* as it was last judged, if it is the last that was."""
        kept = self._frozen
        return kept if kept and kept.trace_id == trace_id else None

    def _page_of(self, trace_id: str) -> str:
        return trace_page(self._query_url, trace_id)
