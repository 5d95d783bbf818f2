from datetime import date

import pytest
from common.money import Money
from messages_for_tests import order_message
from notification.domain import formats, news
from notification.domain.news import Addressee, BoughtLine
from notification.domain.preferences import (
    NEVER_CHOSEN,
    Choice,
    Language,
    Preferences,
    language_of,
)

ADA = Addressee("ada@customer.example", "customer-1")
DOLLAR = Money(100, "USD")


# --- Facts


def test_the_message_id_is_made_of_the_fact_and_the_kind() -> None:
    assert order_message().message_id == "<order-1.order_confirmation@cartwright.example>"


def test_an_order_has_one_confirmation_and_one_cancellation() -> None:
    cancelled = [news.cancellation(ADA, "order-1", DOLLAR, r) for r in ("out_of_stock", "other")]

    assert {each.fact for each in cancelled} == {"order-1"}


def test_two_refunds_of_an_order_are_two_facts() -> None:
    facts = [
        news.refund(ADA, "order-1", refund_id, DOLLAR, is_return=False).fact
        for refund_id in ("re_1", "re_2", "re_1")
    ]

    assert facts == ["order-1.re_1", "order-1.re_2", "order-1.re_1"]


def test_a_bank_that_asks_again_elsewhere_is_another_fact() -> None:
    facts = [
        news.challenge(ADA, "order-1", DOLLAR, f"https://bank.example/{page}").fact
        for page in (1, 2, 1)
    ]

    assert facts[0] == facts[2] != facts[1]


@pytest.mark.parametrize("name", ["Ada", "Ada Lovelace", "O'Neil", "Jean-Luc", "Müßig", "李明"])
def test_a_name_is_greeted(name: str) -> None:
    assert news.greeted(name) == name


@pytest.mark.parametrize(
    "name",
    ["win.example", "Go to http://evil.example", "Ada\nBcc", "a" * 51, "50% off", "A  B", "-"],
)
def test_what_could_be_a_link_or_an_advertisement_is_no_name(name: str) -> None:
    assert news.greeted(name) is None


@pytest.mark.parametrize(
    "url", ["https://bank.example/3ds?id=1&k=a%20b", "http://127.0.0.1:8090/3ds/1?key=s"]
)
def test_a_link_leads_to_the_web(url: str) -> None:
    assert news.is_web_link(url)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,hello",
        "ftp://bank.example/",
        "//bank.example/",
        "https:///3ds",
        "https://bank.example@evil.example/",
        "https://bank.example/a b",
        "https://bank.example/\nhttps://evil.example/",
        "https://bänk.example/",
        "https://[bank/",
        "https://bank.example/" + "x" * 2048,
        "",
    ],
)
def test_anything_else_is_no_link(url: str) -> None:
    assert not news.is_web_link(url)


def test_a_line_costs_its_quantity_times_its_price() -> None:
    assert BoughtLine("Mug", 3, Money(500, "USD")).total == Money(1500, "USD")


# --- Languages and choices


@pytest.mark.parametrize(
    ("amount", "english", "spanish"),
    [
        (0, "0.00 USD", "0,00 USD"),
        (5, "0.05 USD", "0,05 USD"),
        (123456, "1,234.56 USD", "1234,56 USD"),
        (1234567, "12,345.67 USD", "12.345,67 USD"),
        (123456789012, "1,234,567,890.12 USD", "1.234.567.890,12 USD"),
    ],
)
def test_money_is_written_as_the_language_has_it(amount: int, english: str, spanish: str) -> None:
    assert formats.money(Money(amount, "USD"), Language.EN) == english
    assert formats.money(Money(amount, "USD"), Language.ES) == spanish


def test_a_day_is_written_as_the_language_has_it() -> None:
    assert formats.day(date(2026, 12, 1), Language.EN) == "December 1, 2026"
    assert formats.day(date(2026, 12, 1), Language.ES) == "1 de diciembre de 2026"


@pytest.mark.parametrize(
    ("version", "told", "language"),
    [(1, "en", "es"), (1, None, "es"), (0, "es", "es"), (0, "fr", "en"), (0, None, "en")],
)
def test_the_own_choice_goes_before_the_event_and_the_event_before_english(
    version: int, told: str | None, language: str
) -> None:
    chosen = Preferences(Choice(Language.ES), version) if version else NEVER_CHOSEN

    assert language_of(chosen, told) == language


@pytest.mark.parametrize(
    ("reason", "is_wanted"),
    [("customer_cancelled", False), ("out_of_stock", True), ("payment_declined", True)],
)
def test_only_a_cancellation_that_one_asked_for_can_be_turned_off(
    reason: str, *, is_wanted: bool
) -> None:
    choice = Choice(requested_cancellations=False)

    assert news.cancellation(ADA, "order-1", DOLLAR, reason).is_wanted(choice) is is_wanted
    assert news.cancellation(ADA, "order-1", DOLLAR, reason).is_wanted(Choice())
