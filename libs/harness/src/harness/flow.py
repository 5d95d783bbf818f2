"""What may be said of a checkout's trace, once it is proven whole.

A negative ("payment took no part") is only worth something on a whole trace, and with a
positive control: the same words must be seen to hold where they should.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness import conventions
from harness.checkers.traces_complete import STEPS
from harness.conventions import process_span, publish_span
from harness.spans import Kind, Span
from harness.traces import Trace, TraceReader, no_card_data, wait_for

# Exporters send every 0.2 s; the rest is patience with a busy machine.
WHOLE_WITHIN_S = 15.0

# The words of the features: (service, span). A fact is a fact when its owner announces it.
WORDS: Mapping[str, tuple[str, str]] = {
    "the order was placed": ("order", publish_span("order.placed")),
    "the order was confirmed": ("order", publish_span("order.confirmed")),
    "the cancellation was asked for": ("order", publish_span("order.cancellation_requested")),
    "the order was cancelled": ("order", publish_span("order.cancelled")),
    "the stock was reserved": ("inventory", publish_span("stock.reserved")),
    "the stock was refused": ("inventory", publish_span("stock.rejected")),
    "the stock was committed": ("inventory", publish_span("stock.committed")),
    "the stock was released": ("inventory", publish_span("stock.released")),
    "the bank was asked": ("payment", publish_span("payment.action_required")),
    "the customer was asked": ("order", publish_span("order.action_required")),
    "the payment was authorized": ("payment", publish_span("payment.authorized")),
    "the payment was declined": ("payment", publish_span("payment.declined")),
    "the payment was voided": ("payment", publish_span("payment.voided")),
    "the payment was captured": ("payment", publish_span("payment.captured")),
    "the payment was refunded": ("payment", publish_span("payment.refunded")),
    "the goods came back": ("order", publish_span("order.returned")),
    "the goods were restocked": ("inventory", publish_span("stock.returned")),
    "the customer was told": ("notification", publish_span("notification.sent")),
    "the cart was emptied": ("cart", process_span("order.confirmed")),
}


@dataclass(frozen=True)
class Flow:
    """A frozen, whole trace. Every assertion that fails prints it as a tree."""

    trace: Trace

    def assert_caused_in_order(self, words: Sequence[str]) -> None:
        """Each of *words* is caused by the one before: a path of parents or links, no clocks."""
        before: tuple[Span, ...] = ()
        for number, word in enumerate(words):
            found = self._called(word)
            assert found, self._say(f"{word!r} did not happen")
            caused = tuple(
                span
                for span in found
                if any(self.trace.happened_before(cause, span) for cause in before)
            )
            assert caused or number == 0, self._say(
                f"{word!r} happened, but not because of {words[number - 1]!r}"
            )
            before = caused or found

    def assert_effects_once(self) -> None:
        """No event was applied twice by one consumer, however often it was delivered."""
        applied = Counter(
            (span.service, str(span.attributes.get(conventions.EVENT_ID)))
            for span in self.trace.find(kind=Kind.CONSUMER)
            if span.attributes.get(conventions.EFFECT) == conventions.EFFECT_APPLIED
        )
        assert applied, self._say("no event took effect at all")
        repeated = {key: count for key, count in applied.items() if count > 1}
        assert not repeated, self._say(f"applied more than once: {repeated}")

    def assert_clean(self) -> None:
        failed = [f"{span.service}: {span.name}" for span in self.trace.spans if span.failed]
        assert not failed, self._say(f"failed: {', '.join(failed)}")
        leaks = [str(leak) for leak in no_card_data(self.trace)]
        assert not leaks, self._say(f"card data: {', '.join(leaks)}")

    def assert_took_part(self, *services: str) -> None:
        absent = set(services) - self.trace.services()
        assert not absent, self._say(f"inconclusive: {sorted(absent)} cannot be seen even here")

    def assert_took_no_part(self, *services: str) -> None:
        present = set(services) & self.trace.services()
        assert not present, self._say(f"{sorted(present)} took part")

    def _called(self, word: str) -> tuple[Span, ...]:
        if word not in WORDS:
            raise KeyError(f"{word!r} is not one of the words of a flow: {', '.join(WORDS)}")
        service, name = WORDS[word]
        return self.trace.find(service=service, name=name)

    def _say(self, fault: str) -> str:
        return f"{fault}\n{self.trace.tree()}"


@dataclass(frozen=True)
class Whole:
    """Proof that nothing of the trace is outstanding: every step there, every parent found.

    consumers: who handles which event type, by the topology.
    """

    outcome: str
    consumers: Mapping[str, frozenset[str]]

    def __call__(self, trace: Trace) -> bool:
        return not self.missing(trace)

    def missing(self, trace: Trace) -> list[str]:
        seen = {(span.service, span.name) for span in trace.spans}
        faults = [f"{s}: {name}" for s, name in sorted(STEPS[self.outcome] - seen)]
        faults += [f"{s}: {name}" for s, name in sorted(self._unheard(trace) - seen)]
        faults += [f"parent of {s.service}: {s.name}" for s in trace.orphans()]
        return faults if len(trace.roots) == 1 else [*faults, f"{len(trace.roots)} roots"]

    def _unheard(self, trace: Trace) -> set[tuple[str, str]]:
        """Whoever must have heard what was announced: until they did, the flow goes on."""
        announced = {span.name for span in trace.find(kind=Kind.PRODUCER)}
        return {
            (consumer, process_span(event_type))
            for event_type, consumers in self.consumers.items()
            if publish_span(event_type) in announced
            for consumer in consumers
        }


def whole(
    reader: TraceReader,
    trace_id: str,
    order: Mapping[str, Any],
    consumers: Mapping[str, frozenset[str]],
) -> Flow:
    """The flow of a settled order, once its trace is whole.

    Raises TraceIncomplete, which says what is missing, after WHOLE_WITHIN_S.
    """
    proof = Whole(order["status"], consumers)
    return Flow(wait_for(reader, trace_id, proof, WHOLE_WITHIN_S))
