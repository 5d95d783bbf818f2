"""Every difference between targets that we know of and live with, held both ways.

A test whose difference is listed here must fail on that target, and with the words in `seen`; one
that passes there fails the suite, so that no exception outlives its cause.
"""

import re
from dataclasses import dataclass
from typing import Final


class NoLongerDiffers(AssertionError):
    """A test passed where the register says it cannot."""


class DiffersOtherwise(AssertionError):
    """A test failed where the register says so, but for another reason."""


@dataclass(frozen=True)
class Difference:
    """One test that does not hold on one target.

    test: the function's name. case: the id of its parameter, empty for all. seen: a regular
    expression that what the failing test says must contain. what: how the target differs. why: how
    we know who is right, or why it stays. shop: what the shop does about it.
    """

    test: str
    target: str
    seen: str
    what: str
    why: str
    shop: str
    case: str = ""

    def judge(self, failure: Exception | None) -> None:
        """Raises unless *failure*, None if the test passed, is the one that is expected."""
        if failure is None:
            raise NoLongerDiffers(f"{self.target} does not differ any more: remove {self!r}")
        said = f"{type(failure).__name__}: {failure}"
        if not re.search(self.seen, said):
            raise DiffersOtherwise(f"expected {self.seen!r}, but the test said {said}") from failure


# Words that return in the register.
_AWS_SAYS = "AWS's API reference says so; the emulator refuses it too."
_NEVER_SENT = "Nothing: it never sends such a call. Whoever starts to learns it from the emulator."
_NOT_ASKED = "Nothing: the harness reads traces by their id only."

DIFFERENCES: Final[tuple[Difference, ...]] = (
    # LocalStack
    Difference(
        "test_a_raw_message_with_eleven_attributes_is_not_delivered_but_kept",
        "localstack",
        seen="it was delivered",
        what="A raw message with more than ten attributes is delivered.",
        why="AWS discards it, or puts it into the dead-letter queue (SNS, message attributes).",
        shop="`common.relay` writes three attributes, always the same.",
    ),
    Difference(
        "test_a_message_has_ten_attributes_at_most",
        "localstack",
        seen="assert '' == 'InvalidParameterValue'",
        what="SendMessage takes more than ten attributes.",
        why="AWS refuses it (SQS quotas); the emulator refuses it too.",
        shop="`common.consumer` adds one, the reason, to the three it received.",
    ),
    Difference(
        "test_a_batch_that_is_none_is_refused_as_a_whole",
        "localstack",
        seen="'InternalError' == 'EmptyBatchRequest'",
        what="PublishBatch without entries ends in an internal error.",
        why=_AWS_SAYS,
        shop="`common.relay` asks only when rows are due.",
        case="none",
    ),
    Difference(
        "test_only_a_message_in_flight_has_a_visibility_to_change",
        "localstack",
        seen="assert '' == 'MessageNotInflight'",
        what="The visibility of a message that nobody holds can be changed.",
        why=_AWS_SAYS,
        shop="`harness.topology.redrive.look` asks in batches, whose refused entries do no harm.",
    ),
    Difference(
        "test_no_delay_is_longer_than_fifteen_minutes",
        "localstack",
        seen="assert '' == 'InvalidParameterValue'",
        what="SendMessage takes a delay of more than 900 s.",
        why=_AWS_SAYS,
        shop="Nothing: it delays no message; what waits, waits in a table.",
    ),
    Difference(
        "test_an_attribute_out_of_its_range_is_refused",
        "localstack",
        seen="assert '' == 'InvalidAttributeValue'",
        what="A queue's attributes may be out of their ranges.",
        why=_AWS_SAYS,
        shop="`harness.topology.model` holds infra/topology.yaml to SQS's ranges.",
    ),
    Difference(
        "test_a_wrong_call_is_refused_with_its_code",
        "localstack",
        seen="assert '' == 'InvalidParameterValue'",
        what="ReceiveMessage may ask for no message.",
        why=_AWS_SAYS,
        shop=_NEVER_SENT,
        case="receive-none",
    ),
    Difference(
        "test_a_wrong_call_is_refused_with_its_code",
        "localstack",
        seen="assert '' == 'InvalidParameterValue'",
        what="ReceiveMessage may hide a message for more than twelve hours.",
        why=_AWS_SAYS,
        shop=_NEVER_SENT,
        case="visibility-of-13-h",
    ),
    Difference(
        "test_a_wrong_call_is_refused_with_its_code",
        "localstack",
        seen="assert '' == 'InvalidParameterValue'",
        what="ChangeMessageVisibility may hide a message for more than twelve hours.",
        why=_AWS_SAYS,
        shop=_NEVER_SENT,
        case="visibility-changed-to-13-h",
    ),
    Difference(
        "test_a_wrong_call_is_refused_with_its_code",
        "localstack",
        seen="assert '' == 'InvalidParameterValue'",
        what="StartMessageMoveTask may move a dead-letter queue's messages onto itself.",
        why="AWS's API reference does not say; taken at its word, such a move never ends.",
        shop=_NEVER_SENT,
        case="move-onto-itself",
    ),
    # Jaeger
    Difference(
        "test_schema_urls_come_back",
        "jaeger",
        seen="KeyError: 'schemaUrl'",
        what="The schema URLs of resource and scope are not given back.",
        why="Its query API leaves them out; the store keeps what was sent.",
        shop="Nothing: no span of ours has one, and no reader asks for it.",
    ),
    Difference(
        "test_a_span_that_ends_before_it_begins_is_shown_as_it_was_sent",
        "jaeger",
        seen=r"assert \d+ == \(\d+ - 1\)",
        what="A span that ends before it begins ends a nanosecond after its begin, with a warning.",
        why="Its collector mends it before it is stored; the store keeps what was sent.",
        shop="Nothing: durations are no proof of order (`harness.traces.causality` takes causes).",
    ),
    Difference(
        "test_a_span_without_ids_is_refused_for_good",
        "jaeger",
        seen=r"is_refused_for_good\(<Response \[200 OK\]>\)",
        what="A span without ids is taken, and cannot be asked for.",
        why="OTLP calls such a span invalid; the store refuses it so that the mistake is seen.",
        shop="Nothing: the SDK gives every span its ids.",
    ),
    Difference(
        "test_a_path_that_is_none_is_404",
        "jaeger",
        seen="assert 200 ==",
        what="An unknown path is answered with the web page, and 200.",
        why="Its web page has paths of its own.",
        shop="`harness.traces.reader` fails on an answer that is not JSON, and takes a 404 for an"
        " unknown trace only with Jaeger's own body.",
    ),
    Difference(
        "test_a_trace_says_that_it_is_json",
        "jaeger",
        seen="'text/plain' == 'application/json'",
        what="Jaeger 2.13 answers /api/v3 as text/plain.",
        why="Its gateway sets no type; the store does.",
        shop="Nothing: `harness.traces.reader` does not look at it.",
    ),
    # The trace store
    Difference(
        "test_a_raw_trace_shows_a_span_as_often_as_it_was_sent",
        "trace-store",
        seen="assert 2 == 3",
        what="A span that an exporter sent again is stored once.",
        why="So a retry costs no memory. Jaeger itself leaves repetitions out of what is not raw.",
        shop="`harness.traces.causality` counts a span that is there twice once, on both.",
    ),
    Difference(
        "test_a_time_that_is_none_is_400",
        "trace-store",
        seen="assert 200 ==",
        what="start_time and end_time are not looked at.",
        why="They help stores that are sorted by time; ours has every trace in memory.",
        shop=_NOT_ASKED,
    ),
    Difference(
        "test_services_are_listed",
        "trace-store",
        seen="KeyError: 'services'",
        what="There is no list of services.",
        why="Who needs it is a search form; the store's page shows the latest traces instead.",
        shop=_NOT_ASKED,
    ),
    Difference(
        "test_a_search_without_times_is_400",
        "trace-store",
        seen="assert 404 ==",
        what="There is no search; every search is 404.",
        why="Jaeger removed one search after 2.20, and renamed the other's parameters in 2.19.",
        shop=_NOT_ASKED,
    ),
)


def expected(test: str, target: str, case: str = "") -> Difference | None:
    """The listed difference of this test, with this case, on this target."""
    for difference in DIFFERENCES:
        listed = (difference.test, difference.target) == (test, target)
        if listed and difference.case in ("", case):
            return difference
    return None
