"""Our book against the provider's: heals what a fact explains, and never invents money."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from common.db import Database
from common.ids import new_id
from payment.domain import PaymentStatus
from payment.use_cases import reconciliation, refunds
from sqlalchemy import text
from sqlalchemy.event import listen, remove

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Checkout, FakeProvider


def _lost() -> httpx.Response:
    raise httpx.ReadTimeout("no answer")


def _age(db: Database) -> None:
    """What changed, changed a minute ago."""
    with db.transaction() as tx:
        tx.execute(text("UPDATE payments SET updated_at = now() - interval '1 minute'"))


def _lose(db: Database, checkout: "Checkout", provider: "FakeProvider") -> None:
    """The provider has authorized a payment and knows nothing of it any more."""
    checkout.hear(checkout.reserved())
    checkout.work()
    provider.book.clear()
    _age(db)


# A run ends and plans the next one in one transaction, within which now() stands still.
ENDED = "(SELECT max(finished_at) FROM reconciliation_runs)"


def _next_run_s(db: Database, since: str = ENDED) -> float:
    with db.transaction() as tx:
        found = tx.scalar(
            text(
                f"SELECT extract(epoch FROM next_run_at - {since})::float FROM reconciliation_plan"
            )
        )
    assert found is not None
    return float(found)


def test_an_outcome_that_is_unknown_is_found_in_the_providers_book(
    checkout: "Checkout", provider: "FakeProvider"
) -> None:
    provider.after = [_lost]
    checkout.hear(checkout.reserved())
    checkout.work()
    assert checkout.payment.status is PaymentStatus.UNKNOWN

    assert checkout.compare_books() == 1

    assert checkout.told() == ["payment.authorized"]
    assert len(provider.calls) == 1
    assert checkout.operations[0]["state"] == "done"


def test_a_webhook_that_never_comes_is_made_up_for(
    checkout: "Checkout", provider: "FakeProvider"
) -> None:
    checkout.hear(checkout.reserved(payment_method="pm_3ds_required"))
    checkout.work()
    provider.change("pay_1", status="authorized")

    checkout.compare_books()

    assert checkout.told() == ["payment.action_required", "payment.authorized"]


def test_books_that_agree_are_left_alone(
    db: Database, checkout: "Checkout", provider: "FakeProvider"
) -> None:
    checkout.hear(checkout.reserved())
    checkout.work()
    told, reads = checkout.told(), len(provider.reads)

    assert checkout.compare_books() == 0

    assert checkout.told() == told
    assert len(provider.reads) == reads + 1
    with db.transaction() as tx:
        run = reconciliation.last_run(tx)
    assert run
    assert (run.compared, run.healed, run.differences, run.error) == (1, 0, 0, None)


def _statements_of_a_run(db: Database, checkout: "Checkout") -> int:
    sent: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        sent.append(statement)

    listen(db.engine, "before_cursor_execute", note)
    try:
        assert checkout.compare_books() == 0
    finally:
        remove(db.engine, "before_cursor_execute", note)
    return len(sent)


def test_a_page_of_payments_that_agree_costs_as_many_statements_as_one(
    db: Database,
    checkout: "Checkout",
    new_checkout: "Callable[[], Checkout]",
    provider: "FakeProvider",
) -> None:
    provider.page_size = 100
    checkout.hear(checkout.reserved())
    checkout.work()
    for_one = _statements_of_a_run(db, checkout)
    others = [new_checkout() for _ in range(7)]
    checkout.hear(*(one.reserved() for one in others))
    checkout.work()

    for_eight = _statements_of_a_run(db, checkout)

    assert for_eight == for_one
    with db.transaction() as tx:
        run = reconciliation.last_run(tx)
    assert run
    assert run.compared == 8


def test_a_charge_that_nobody_knows_is_written_down_and_not_booked(
    checkout: "Checkout", provider: "FakeProvider"
) -> None:
    stranger = new_id()
    provider.add(stranger, "captured")

    checkout.compare_books()
    checkout.compare_books()

    assert checkout.differences == [("unknown_charge", stranger)]
    assert checkout.ledger == []


def test_another_sum_is_written_down_and_not_booked(
    checkout: "Checkout", provider: "FakeProvider"
) -> None:
    checkout.hear(checkout.reserved())
    provider.add(checkout.order_id, "captured", amount_minor=1, captured_minor=1)

    checkout.compare_books()

    assert checkout.differences == [("amounts_differ", checkout.order_id)]
    assert checkout.payment.status is PaymentStatus.INITIATED
    assert checkout.ledger == []


def test_a_payment_that_the_provider_has_lost_is_a_difference(
    db: Database, checkout: "Checkout", provider: "FakeProvider"
) -> None:
    _lose(db, checkout, provider)

    checkout.compare_books()

    assert checkout.differences == [("missing_at_provider", checkout.order_id)]
    assert checkout.payment.status is PaymentStatus.AUTHORIZED


def test_a_payment_that_the_provider_has_again_is_no_difference_any_more(
    db: Database, checkout: "Checkout", provider: "FakeProvider"
) -> None:
    _lose(db, checkout, provider)
    checkout.compare_books()

    provider.add(checkout.order_id, "authorized")
    checkout.compare_books()

    assert checkout.differences == []


def test_a_status_that_goes_back_at_the_provider_is_a_difference(
    checkout: "Checkout", provider: "FakeProvider"
) -> None:
    checkout.hear(checkout.reserved())
    checkout.work()
    provider.change("pay_1", status="requires_action", next_action={"url": provider.action_url})
    provider.book["pay_1"]["next_action"] = {"type": "redirect", "url": provider.action_url}

    checkout.compare_books()

    assert checkout.differences == [("status_differs", checkout.order_id)]
    assert checkout.payment.status is PaymentStatus.AUTHORIZED


def test_a_difference_stays_open_while_something_is_under_way(
    db: Database, checkout: "Checkout", provider: "FakeProvider"
) -> None:
    checkout.hear(checkout.reserved())
    checkout.work()
    checkout.hear(checkout.confirmed())
    checkout.work()
    provider.change("pay_1", status="authorized", captured_minor=0)
    checkout.compare_books()
    with db.transaction() as tx:
        refunds.refund_by_staff(tx, checkout.order_id, 500, "goodwill", "staff-1")

    checkout.compare_books()

    assert checkout.differences == [("status_differs", checkout.order_id)]


def test_a_payment_that_is_not_told_spoils_no_other(
    db: Database, checkout: "Checkout", provider: "FakeProvider"
) -> None:
    _lose(db, checkout, provider)

    def refuse_single_reads() -> httpx.Response | None:
        is_single = provider.reads[-1].endswith("/pay_1")
        return httpx.Response(403, json={"title": "not yours"}) if is_single else None

    provider.on_read = refuse_single_reads

    checkout.compare_books()

    with db.transaction() as tx:
        run = reconciliation.last_run(tx)
    assert run
    assert (run.error, run.differences) == (None, 1)
    assert checkout.differences == [("status_differs", checkout.order_id)]


def test_however_long_it_takes_nobody_else_begins(
    db: Database, checkout: "Checkout", provider: "FakeProvider"
) -> None:
    _lose(db, checkout, provider)
    left: list[float] = []

    def take_long() -> None:
        left.append(_next_run_s(db, "now()"))
        with db.transaction() as tx:
            tx.execute(
                text("UPDATE reconciliation_plan SET next_run_at = now() + interval '1 second'")
            )

    provider.on_read = take_long

    checkout.compare_books()

    assert len(left) == 2  # A page, and a payment that was not on it.
    assert min(left) > reconciliation.LEASE_S / 2


def test_a_difference_that_is_mended_is_closed(
    checkout: "Checkout", provider: "FakeProvider"
) -> None:
    checkout.hear(checkout.reserved())
    provider.add(checkout.order_id, "authorized", amount_minor=1)
    checkout.compare_books()
    assert checkout.differences

    provider.change("pay_1", amount_minor=1999)
    checkout.compare_books()

    assert checkout.differences == []
    assert checkout.told() == ["payment.authorized"]


def test_a_refund_made_at_the_provider_is_adopted(
    checkout: "Checkout", provider: "FakeProvider"
) -> None:
    checkout.hear(checkout.reserved())
    checkout.work()
    checkout.hear(checkout.confirmed())
    checkout.work()
    provider.give_back("pay_1", 500)

    checkout.compare_books()

    assert checkout.told()[-1] == "payment.refunded"
    assert checkout.answers()[-1]["reason"] == "made_at_provider"
    assert checkout.view.balance.refunded_minor == 500
    assert checkout.differences == []
    assert checkout.compare_books() == 0


def test_a_payment_that_cannot_be_read_spoils_no_other(
    checkout: "Checkout", provider: "FakeProvider"
) -> None:
    checkout.hear(checkout.reserved())
    evil = {"type": "redirect", "url": "https://evil.example"}
    provider.add(new_id(), "requires_action", next_action=evil)
    provider.add(checkout.order_id, "authorized")

    checkout.compare_books()

    assert checkout.told() == ["payment.authorized"]
    assert [kind for kind, _ in checkout.differences] == ["status_differs"]


def test_the_whole_book_is_read_page_by_page(
    checkout: "Checkout", new_checkout: "Callable[[], Checkout]", provider: "FakeProvider"
) -> None:
    checkouts = [new_checkout() for _ in range(5)]
    provider.after = [_lost] * 5
    checkout.hear(*(one.reserved() for one in checkouts))
    checkout.work()

    checkout.compare_books()

    assert [one.told() for one in checkouts] == [["payment.authorized"]] * 5
    assert sum("updated_since" in read for read in provider.reads) == 3


def test_the_next_run_begins_where_the_last_one_ended(
    checkout: "Checkout", provider: "FakeProvider"
) -> None:
    checkout.hear(checkout.reserved())
    checkout.work()
    checkout.compare_books()

    checkout.compare_books()

    asked = [read for read in provider.reads if "updated_since" in read]
    assert "2000-01-01" in asked[0]
    assert "2026-01-01" in asked[-1] or "2025-12-31" in asked[-1]


def test_runs_come_ever_more_rarely_while_nothing_differs(
    db: Database, checkout: "Checkout", provider: "FakeProvider"
) -> None:
    pauses = []
    for _ in range(5):
        checkout.compare_books()
        pauses.append(_next_run_s(db))

    assert pauses == [60, 300, 900, 900, 900]
    provider.add(new_id(), "captured")
    checkout.compare_books()
    assert _next_run_s(db) == 15


def test_two_workers_never_compare_at_once(db: Database, checkout: "Checkout") -> None:
    assert (
        reconciliation.run_once(db, checkout.provider) == 0
    )  # The first run is due after a while.
    with db.transaction() as tx:
        assert reconciliation.last_run(tx) is None


def test_a_provider_that_does_not_answer_is_asked_again_soon(
    db: Database, checkout: "Checkout", provider: "FakeProvider"
) -> None:
    provider.on_read = lambda: httpx.Response(503)

    assert checkout.compare_books() == 0

    with db.transaction() as tx:
        run = reconciliation.last_run(tx)
    assert run
    assert run.error == "OutcomeUnknown: the provider answered 503"
    assert _next_run_s(db) == 15


# --- After 23 hours


@pytest.mark.parametrize("arrived", [True, False])
def test_a_question_a_day_old_is_not_sent_again_but_asked_after(
    db: Database, checkout: "Checkout", provider: "FakeProvider", *, arrived: bool
) -> None:
    lost = [_lost]
    provider.after, provider.before = (lost, []) if arrived else ([], lost)
    checkout.hear(checkout.reserved())
    checkout.work()
    with db.transaction() as tx:
        tx.execute(text("UPDATE operations SET first_attempt_at = now() - interval '23 hours'"))
    checkout.wait(60)

    checkout.work()

    assert len(provider.calls) == 1
    assert checkout.told() == (["payment.authorized"] if arrived else [])
    assert checkout.operations[0]["state"] == ("done" if arrived else "due")


@pytest.mark.parametrize("arrived", [True, False])
@pytest.mark.parametrize("end", ["captured", "voided"])
def test_a_capture_or_void_a_day_old_is_sent_again_if_it_was_not_done(
    db: Database, checkout: "Checkout", provider: "FakeProvider", end: str, *, arrived: bool
) -> None:
    checkout.hear(checkout.reserved())
    checkout.work()
    checkout.hear(checkout.confirmed() if end == "captured" else checkout.cancellation())
    lost = [_lost]
    provider.after, provider.before = (lost, []) if arrived else ([], lost)
    checkout.work()
    with db.transaction() as tx:
        tx.execute(text("UPDATE operations SET first_attempt_at = now() - interval '23 hours'"))
    checkout.wait(60)

    checkout.work()

    assert len(provider.calls) == 1 + (1 if arrived else 2)
    assert provider.statuses == {"pay_1": end}
    assert checkout.told() == ["payment.authorized", f"payment.{end}"]
    assert checkout.operations[-1]["state"] == "done"


def test_a_run_that_failed_half_way_begins_where_it_began(
    checkout: "Checkout", new_checkout: Callable[[], "Checkout"], provider: "FakeProvider"
) -> None:
    checkouts = [new_checkout() for _ in range(5)]
    checkout.hear(*(one.reserved() for one in checkouts))
    checkout.work()
    answers = chain([None], repeat(httpx.Response(503)))  # The first of three pages comes.
    provider.on_read = lambda: next(answers)
    checkout.compare_books()
    provider.on_read, known = lambda: None, len(provider.reads)

    checkout.compare_books()

    assert "2000-01-01" in provider.reads[known]


def test_a_change_that_the_provider_shows_a_little_late_is_still_read(
    db: Database, checkout: "Checkout", provider: "FakeProvider"
) -> None:
    checkout.hear(checkout.reserved())
    checkout.work()
    checkout.compare_books()
    with db.transaction() as tx:
        until = tx.scalar(text("SELECT since FROM reconciliation_plan"))
    known = len(provider.reads)

    checkout.compare_books()

    [asked] = parse_qs(urlsplit(provider.reads[known]).query)["updated_since"]
    assert datetime.fromisoformat(until) - datetime.fromisoformat(asked) == reconciliation.OVERLAP


# --- More than one run takes


def _authorize(
    checkout: "Checkout", new_checkout: "Callable[[], Checkout]", count: int
) -> list["Checkout"]:
    """So many, and all of them changed a minute ago."""
    checkouts = [new_checkout() for _ in range(count)]
    for one in checkouts:
        checkout.hear(one.reserved())
        checkout.work()
    _age(checkout.db)
    return checkouts


def test_one_that_the_provider_has_lost_is_found_behind_any_number_that_agree(
    db: Database,
    monkeypatch: pytest.MonkeyPatch,
    checkout: "Checkout",
    new_checkout: "Callable[[], Checkout]",
    provider: "FakeProvider",
) -> None:
    monkeypatch.setattr(reconciliation, "READ_ONE_BY_ONE_MAX", 2)
    *_, last = _authorize(checkout, new_checkout, 4)
    provider.book.pop("pay_4")
    with db.transaction() as tx:
        tx.execute(
            text("UPDATE payments SET updated_at = now() - interval '30 s' WHERE order_id = :last"),
            {"last": last.order_id},
        )

    checkout.compare_books()

    assert checkout.differences == [("missing_at_provider", last.order_id)]


def test_any_number_that_the_provider_lost_at_once_are_found_run_by_run(
    db: Database,
    monkeypatch: pytest.MonkeyPatch,
    checkout: "Checkout",
    new_checkout: "Callable[[], Checkout]",
    provider: "FakeProvider",
) -> None:
    monkeypatch.setattr(reconciliation, "READ_ONE_BY_ONE_MAX", 2)
    monkeypatch.setattr(reconciliation, "OURS_AT_A_TIME", 3)
    _authorize(checkout, new_checkout, 6)
    kept = provider.book.pop("pay_6")
    provider.book.clear()
    provider.book["pay_6"] = kept
    found, pauses = [], []

    for _ in range(3):
        checkout.compare_books()
        found.append(len(checkout.differences))
        pauses.append(_next_run_s(db))

    assert found == [2, 4, 5]
    assert pauses == [0, 0, 15]


def test_what_the_provider_lists_behind_those_that_it_lost_is_listed_again(
    db: Database,
    monkeypatch: pytest.MonkeyPatch,
    checkout: "Checkout",
    new_checkout: "Callable[[], Checkout]",
    provider: "FakeProvider",
) -> None:
    """Or it would be read one by one, as if it had been lost, too."""
    monkeypatch.setattr(reconciliation, "READ_ONE_BY_ONE_MAX", 2)
    monkeypatch.setattr(reconciliation, "OVERLAP", timedelta())
    _authorize(checkout, new_checkout, 6)
    _change_when_it_did_there(db, provider)
    for lost in ("pay_1", "pay_2", "pay_3"):
        provider.book.pop(lost)
    checkout.compare_books()
    known = len(provider.reads)

    checkout.compare_books()

    single = [read for read in provider.reads[known:] if "updated_since" not in read]
    assert len(checkout.differences) == 3
    assert single == [f"/v1/payments/pay_{n}" for n in (3, 1, 2)]


def _change_when_it_did_there(db: Database, provider: "FakeProvider") -> None:
    with db.transaction() as tx:
        for id_, payment in provider.book.items():
            tx.execute(
                text("UPDATE payments SET updated_at = :at WHERE provider_payment_id = :id"),
                {"id": id_, "at": payment["updated_at"]},
            )


def _change_within_a_second(db: Database, provider: "FakeProvider", apart_ms: int) -> None:
    """In both books, one after the other."""
    for number, payment in enumerate(provider.book.values()):
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(milliseconds=number * apart_ms)
        payment["updated_at"] = moment.isoformat()
    _change_when_it_did_there(db, provider)


def _compared(db: Database) -> list[int]:
    with db.transaction() as tx:
        return list(tx.scalars(text("SELECT compared FROM reconciliation_runs ORDER BY id")))


def test_runs_that_are_cut_off_go_on_where_they_were_left(
    db: Database,
    monkeypatch: pytest.MonkeyPatch,
    checkout: "Checkout",
    new_checkout: "Callable[[], Checkout]",
    provider: "FakeProvider",
) -> None:
    monkeypatch.setattr(reconciliation, "PAGES_MAX", 1)
    _authorize(checkout, new_checkout, 5)
    _change_within_a_second(db, provider, apart_ms=100)
    more, pauses = [], []

    for _ in range(3):
        more.append(checkout.compare_books())
        pauses.append(_next_run_s(db))

    assert _compared(db) == [2, 2, 1]
    assert more == [1, 1, 0]  # So that the worker looks again at once.
    assert pauses == [0, 0, 60]


def test_more_than_a_run_takes_may_change_in_one_moment(
    db: Database,
    monkeypatch: pytest.MonkeyPatch,
    checkout: "Checkout",
    new_checkout: "Callable[[], Checkout]",
    provider: "FakeProvider",
) -> None:
    monkeypatch.setattr(reconciliation, "PAGES_MAX", 1)
    provider.after = [_lost] * 5
    checkouts = _authorize(checkout, new_checkout, 5)
    _change_within_a_second(db, provider, apart_ms=0)

    for _ in range(3):
        checkout.compare_books()

    assert [one.told() for one in checkouts] == [["payment.authorized"]] * 5


def test_one_that_the_provider_has_lost_is_found_by_runs_that_are_cut_off(
    db: Database,
    monkeypatch: pytest.MonkeyPatch,
    checkout: "Checkout",
    new_checkout: "Callable[[], Checkout]",
    provider: "FakeProvider",
) -> None:
    monkeypatch.setattr(reconciliation, "PAGES_MAX", 1)
    checkouts = _authorize(checkout, new_checkout, 7)
    _change_within_a_second(db, provider, apart_ms=100)
    provider.book.pop("pay_4")
    known = len(provider.reads)

    for _ in range(3):
        checkout.compare_books()

    assert checkout.differences == [("missing_at_provider", checkouts[3].order_id)]
    single = [read for read in provider.reads[known:] if "updated_since" not in read]
    assert set(single) == {"/v1/payments/pay_4"}  # Nothing that was on the page of another run.


class _Killed(BaseException):
    """As kill -9: nobody ends the run."""


def test_a_worker_that_is_killed_goes_on_where_the_last_whole_run_was_left(
    db: Database,
    monkeypatch: pytest.MonkeyPatch,
    checkout: "Checkout",
    new_checkout: "Callable[[], Checkout]",
    provider: "FakeProvider",
) -> None:
    monkeypatch.setattr(reconciliation, "PAGES_MAX", 1)
    _authorize(checkout, new_checkout, 5)
    _change_within_a_second(db, provider, apart_ms=100)
    checkout.compare_books()

    def die() -> None:
        raise _Killed

    provider.on_read = die
    with pytest.raises(_Killed):
        checkout.compare_books()
    provider.on_read, known = lambda: None, len(provider.reads)
    checkout.compare_books()

    assert provider.reads[known] == provider.reads[known - 1]
    assert _compared(db) == [2, 0, 2]


def test_a_cursor_that_the_provider_knows_no_more_is_given_up(
    db: Database,
    monkeypatch: pytest.MonkeyPatch,
    checkout: "Checkout",
    new_checkout: "Callable[[], Checkout]",
    provider: "FakeProvider",
) -> None:
    monkeypatch.setattr(reconciliation, "PAGES_MAX", 1)
    _authorize(checkout, new_checkout, 3)
    _change_within_a_second(db, provider, apart_ms=100)
    checkout.compare_books()
    provider.on_read = lambda: httpx.Response(400) if "cursor" in provider.reads[-1] else None
    monkeypatch.setattr(reconciliation, "PAGES_MAX", 20)
    provider.page_size = 200

    checkout.compare_books()
    checkout.compare_books()

    assert _compared(db) == [2, 0, 3]


def test_a_run_never_begins_before_the_one_before_it(
    db: Database,
    checkout: "Checkout",
    new_checkout: "Callable[[], Checkout]",
    provider: "FakeProvider",
) -> None:
    _authorize(checkout, new_checkout, 2)
    checkout.compare_books()
    begun = provider.book.pop("pay_2")["updated_at"]

    checkout.compare_books()

    with db.transaction() as tx:
        assert tx.scalar(text("SELECT since FROM reconciliation_plan")) == begun
