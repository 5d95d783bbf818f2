"""What may be said of a checkout's flow once it is frozen, in the words of the features.

Whatever says "not", "none", "only" or "exactly" needs a flow that is proven complete; else it is
inconclusive, and that is a failure of its own. Order is causal: no clocks are compared.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from harness.proof import flow_shape
from harness.proof.flow_words import WORDS
from harness.proof.quiescence import Frozen
from harness.traces import conventions
from harness.traces.card_data import no_card_data
from harness.traces.causality import Trace, describe, holds
from harness.traces.spans import LOST_WITH, AttributeValue, Span

__all__ = ["WORDS", "Flow"]

UNPROVEN = ("nobody has proven this trace complete",)
NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class Flow:
    """A frozen flow. Every assertion that fails prints it as a tree, its first fault marked.

    gaps: why it is not proven complete; empty if it is. link: where a person can look at it.
    """

    trace: Trace
    gaps: tuple[str, ...] = UNPROVEN
    link: str = ""
    trace_id: str = ""
    frozen: Frozen | None = field(default=None, compare=False)

    @classmethod
    def of(cls, frozen: Frozen, link: str = "") -> "Flow":
        return cls(frozen.trace, frozen.gaps, link, frozen.trace_id, frozen)

    # What happened.

    def assert_happened(self, word: str) -> tuple[Span, ...]:
        found = self._called(word)
        assert found, self._say(f"{word!r} did not happen", self._next_best(word))
        return found

    def assert_caused_in_order(self, words: Sequence[str]) -> None:
        """Each of *words* is caused by the one before, as often as it happened: what also happened
        by itself may have come first. A path of parents or links, no clocks.
        """
        causes = self.assert_happened(words[0])
        for before, word in pairwise(words):
            found = self.assert_happened(word)
            uncaused = [
                span for span in found if not any(self.trace.led_to(one, span) for one in causes)
            ]
            rather = "but" if len(uncaused) == len(found) else "also"
            assert not uncaused, self._say(
                f"{word!r} happened, {rather} not because of {before!r}", uncaused
            )
            causes = found

    def assert_within(self, budget_s: float, first: str, last: str) -> None:
        """From the begin of *first* to the begin of *last*, which it led to.

        Two clocks may disagree: if the effect seems to come before its cause they do, and then
        nothing is known of the time between.
        """
        self.assert_caused_in_order([first, last])
        begun, done = self._called(first)[0], self._called(last)[-1]
        took_s = (done.start_ns - begun.start_ns) / NS_PER_S
        assert took_s >= 0, self._say(
            f"inconclusive: by their clocks {last!r} was {-took_s:.3f} s before its cause", (done,)
        )
        assert took_s <= budget_s, self._say(
            f"{last!r} was {took_s:.3f} s after {first!r}, more than {budget_s:g} s", (done,)
        )

    def assert_one_trace(self, words: Sequence[str]) -> None:
        """All of *words* happened in the trace that the customer began."""
        for word in words:
            elsewhere = [s for s in self.assert_happened(word) if s.trace_id != self._own_id()]
            assert not elsewhere, self._say(f"{word!r} happened in a trace of its own", elsewhere)

    def assert_attributes(self, word: str, expected: Mapping[str, AttributeValue]) -> None:
        """Every span of *word* has all of *expected*, in value and in type."""
        found = self.assert_happened(word)
        lacking = [s for s in found if not all(holds(s, *pair) for pair in expected.items())]
        told = [{name: s.attributes.get(name, "(none)") for name in expected} for s in lacking]
        assert not lacking, self._say(f"{word!r} has {told}, not {dict(expected)}", lacking)

    # What did not happen, or no more than so often. Needs proof.

    def assert_never(self, word: str, control: "Flow") -> None:
        """*word* did not happen here, though it does, and is seen, in *control*."""
        found = self._called(word)
        assert not found, self._say(f"{word!r} happened", found)
        self._assert_proven()
        assert control._called(word), self._say(
            f"inconclusive: {word!r} cannot be seen even where it should happen"
        )

    def assert_times(self, word: str, times: int) -> None:
        """As many facts: what was announced twice under one event id happened once."""
        found = self._called(word)
        facts = {s.attributes.get(conventions.EVENT_ID, s.span_id) for s in found}
        assert len(facts) == times, self._say(
            f"{word!r} happened {len(facts)} times, not {times}", found
        )
        self._assert_proven()

    def assert_effects_once(self) -> None:
        """No event was applied twice by one consumer, however often it was delivered."""
        applied = self.trace.applied()
        assert applied, self._say("no event took effect at all")
        repeated = [span for spans in applied.values() if len(spans) > 1 for span in spans[1:]]
        named = sorted({describe(span) for span in repeated})
        assert not repeated, self._say(f"applied more than once: {named}", repeated)
        self._assert_proven(whole=True)

    def assert_clean(self) -> None:
        """Nothing failed, and there is no card data."""
        self.assert_failed_only(())
        self.assert_no_card_data()

    def assert_failed_only(self, expected: Collection[tuple[str, str]]) -> None:
        """These failed and no other. expected: (service, span)."""
        failed = [span for span in self.trace.spans if span.failed]
        wrong = [span for span in failed if (span.service, span.name) not in expected]
        told = ", ".join(f"{describe(s)} {s.status_message}".rstrip() for s in wrong)
        assert not wrong, self._say(f"failed: {told}", wrong)
        absent = set(expected) - {(span.service, span.name) for span in failed}
        assert not absent, self._say(f"did not fail, though it should: {sorted(absent)}")
        self._assert_proven(whole=True)

    def assert_no_card_data(self) -> None:
        leaks = no_card_data(self.trace)
        told = ", ".join(str(leak) for leak in leaks)
        assert not leaks, self._say(f"card data: {told}", [leak.span for leak in leaks])
        self._assert_proven(whole=True)

    def assert_no_orphan(self) -> None:
        """Every span hangs under the one that the customer began."""
        orphans = self.trace.orphans()
        named = ", ".join(describe(span) for span in orphans)
        assert not orphans, self._say(f"the cause is missing of {named}", orphans)
        roots = [span for span in self.trace.roots if span.trace_id == self._own_id()]
        assert len(roots) == 1, self._say(f"it begins {len(roots)} times", roots)

    def assert_whole(self) -> None:
        """Proven complete, nothing lost with a process, and every span has its cause."""
        self.assert_no_orphan()
        self._assert_proven(whole=True)

    def assert_took_part(self, *services: str) -> None:
        absent = set(services) - self.trace.services()
        assert not absent, self._say(f"inconclusive: {sorted(absent)} cannot be seen even here")

    def assert_took_no_part(self, *services: str) -> None:
        there = [span for span in self.trace.spans if span.service in services]
        present = sorted({span.service for span in there})
        assert not there, self._say(f"{present} took part", there)
        self._assert_proven()

    def assert_shape(self, known: str, name: str) -> None:
        """It went one of the ways that *known*, the text of a flow's file, holds."""
        parted = flow_shape.nearest(flow_shape.alternatives(known), flow_shape.shape(self.trace))
        where = f"\nlook at it: {self.link}" if self.link else ""
        assert not parted, (
            f"it did not go the way of {name!r}: `-` is missing, `+` is new{where}\n{parted}\n"
            "If the new way is right: pytest --write-flows"
        )
        self._assert_proven()

    def write_shape(self, file: Path, name: str, run: Path) -> None:
        """Let *file* know the way it went, if that is all of it; see `flow_shape.write`."""
        self._assert_proven(whole=True)
        flow_shape.write(file, name, self.trace, run)

    # How it is said.

    def _assert_proven(self, *, whole: bool = False) -> None:
        """whole: names alone will not do, so that a span that is only known by name is a gap too.

        The ledgers name what a killed process took with it; what it did is known no more.
        """
        lost = [span for span in self.trace.spans if LOST_WITH in span.attributes] if whole else []
        gaps = [*self.gaps, *(self._loss(span) for span in lost)]
        assert not gaps, self._say(f"inconclusive: {'; '.join(gaps)}", lost)

    def _loss(self, span: Span) -> str:
        entries = self.frozen.lost if self.frozen else ()
        fates = {entry.key: entry.keeper.fate() for entry in entries}
        return f"{describe(span)} was lost with {fates.get(span.key, span.attributes[LOST_WITH])}"

    def _called(self, word: str) -> tuple[Span, ...]:
        if word not in WORDS:
            raise KeyError(f"{word!r} is not one of the words of a flow: {', '.join(WORDS)}")
        service, name = WORDS[word]
        return self.trace.find(service=service, name=name)

    def _next_best(self, word: str) -> tuple[Span, ...]:
        """Where to look for what did not happen: at the last thing its service did here."""
        return self.trace.find(service=WORDS[word][0])[-1:]

    def _own_id(self) -> str:
        return self.trace_id or (self.trace.roots[0].trace_id if self.trace.roots else "")

    def _say(self, fault: str, marked: Collection[Span] = ()) -> str:
        where = f"\nlook at it: {self.link}" if self.link else ""
        return f"{fault}{where}\n{self.trace.tree({span.key for span in marked})}"

    def counts(self) -> Counter[str]:
        """How many spans each service left."""
        return Counter(span.service for span in self.trace.spans)
