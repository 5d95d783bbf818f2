"""The books of a load run: right ones pass, a planted fault is named, older orders are not ours."""

from dataclasses import replace
from typing import Any, cast

import books
import pytest
from books_for_tests import BAD_CARD, CONFIRMED, GOOD_BOOKS, change
from harness.audit.books import Books, BooksUnread
from harness.audit.checkers import CHECKERS
from harness.process.endpoints import Endpoints


def test_good_books_break_nothing_though_there_are_no_spans() -> None:
    assert books.judged(replace(GOOD_BOOKS, traces={}), since=0.0) == []


class Watched:
    """Books that remember which of them were looked at."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.read: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.read.add(name)
        return getattr(self.books, name)


def test_who_looks_at_what_these_shoppers_lack_is_not_judged() -> None:
    lacking = set()
    for checker in CHECKERS:
        watched = Watched(GOOD_BOOKS)
        list(checker.check(cast(Books, watched)))
        if watched.read & {"traces", "operations"}:
            lacking.add(checker.name)

    assert lacking == {*books.NOT_JUDGED, books.JUDGED_IN_PART}


def test_what_is_judged_in_part_can_fail_without_what_shoppers_told() -> None:
    taken = {BAD_CARD: [{"name": "payment.authorized"}]}

    found = books.judged(replace(GOOD_BOOKS, operations=(), provider_facts=taken), since=0.0)

    assert any(sentence.startswith(books.JUDGED_IN_PART) for sentence in found)


def test_the_verdict_names_what_was_not_judged() -> None:
    told = books.holds(GOOD_BOOKS.checkouts)

    assert all(name in told for name in (*books.NOT_JUDGED, books.JUDGED_IN_PART))


def test_the_verdict_counts_no_baskets_where_nobody_knows_of_any() -> None:
    assert f"{len(GOOD_BOOKS.checkouts)} baskets right" in books.holds(GOOD_BOOKS.checkouts)

    told = books.holds(())

    assert "judged without what shoppers saw" in told
    assert "baskets" not in told


def test_what_is_wrong_is_said_with_its_order_and_values() -> None:
    spoilt = replace(GOOD_BOOKS, orders=change(GOOD_BOOKS.orders, BAD_CARD, tax_minor=39))

    found = books.judged(spoilt, since=0.0)

    assert any("0.39 USD" in sentence and BAD_CARD in sentence for sentence in found)


def test_orders_of_before_are_not_judged() -> None:
    spoilt = replace(GOOD_BOOKS, orders=change(GOOD_BOOKS.orders, CONFIRMED, tax_minor=39))

    assert books.judged(replace(spoilt, checkouts=()), since=1e9) == []
    assert books.judged(spoilt, since=1e9), "ours, whatever the shop's clock says"


def test_books_that_cannot_be_read_are_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object) -> None:
        raise BooksUnread("PostgreSQL or SQS could not be read: gone")

    monkeypatch.setattr(books, "wait_until_settled", closed)

    assert books.violations(cast(Endpoints, None), (), since=0.0) == [
        "not judged: PostgreSQL or SQS could not be read: gone"
    ]
