"""Every mail in every language says what it has to say, and nothing that it must not."""

import re
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest
from common.money import Money
from jinja2 import UndefinedError
from notification.domain import news
from notification.domain.messages import Kind
from notification.domain.news import Addressee, BoughtLine, News, Sums
from notification.domain.preferences import Language
from notification.use_cases.letters import Rendered, render

TEMPLATES = Path(__file__).parents[1] / "src" / "notification" / "templates"
ORDER_ID = "0192f0c1-0000-7000-8000-000000000001"
TODAY = date(2026, 1, 2)
ADA = Addressee("ada@customer.example")
URL = "https://bank.example/3ds?id=1&key=s"
EVIL = '"><script>steal()</script>{{ 7 * 7 }}'


def _usd(amount_minor: int) -> Money:
    return Money(amount_minor, "USD")


SUMS = Sums(_usd(123456), _usd(120000), _usd(599), _usd(2857))
LINES = (BoughtLine("Mug", 2, _usd(700)),)
NEWS = {
    Kind.WELCOME: news.welcome(ADA, "customer-1", "Ada"),
    Kind.ORDER_CONFIRMATION: news.confirmation(ADA, ORDER_ID, LINES, SUMS),
    Kind.ORDER_CANCELLATION: news.cancellation(ADA, ORDER_ID, _usd(1999), "out_of_stock"),
    Kind.ACTION_REQUIRED: news.challenge(ADA, ORDER_ID, _usd(1999), URL),
    Kind.REFUND: news.refund(ADA, ORDER_ID, "re_1", _usd(500), is_return=True),
}
# In the text and in the HTML, of every language.
SAID = {
    Kind.WELCOME: ("Ada",),
    Kind.ORDER_CONFIRMATION: (ORDER_ID, "Mug", "2026"),
    Kind.ORDER_CANCELLATION: (ORDER_ID,),
    Kind.ACTION_REQUIRED: (ORDER_ID, URL),
    Kind.REFUND: (ORDER_ID, "2026"),
}
IN_ENGLISH = {
    Kind.ORDER_CONFIRMATION: ("14.00 USD", "1,234.56 USD", "5.99 USD", "28.57 USD", "January 2"),
    Kind.ORDER_CANCELLATION: ("just sold out", "19.99 USD are not charged"),
    Kind.REFUND: ("5.00 USD", "goods that you sent back"),
}
IN_SPANISH = {
    Kind.ORDER_CONFIRMATION: ("14,00 USD", "1234,56 USD", "5,99 USD", "28,57 USD", "2 de enero"),
    Kind.ORDER_CANCELLATION: ("agotar", "los 19,99 USD no se cobran"),
    Kind.REFUND: ("5,00 USD", "que nos enviaste de vuelta"),
}


class _Page(HTMLParser):
    """What a reader sees of HTML, its elements, and where its links lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.language: str | None = None
        self.tags: set[str] = set()
        self.links: list[str | None] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        found = dict(attrs)
        self.language = found.get("lang", self.language)
        self.links += [found["href"]] if "href" in found else []

    def handle_data(self, data: str) -> None:
        self.words += data


def _rendered(one: News, language: Language = Language.EN) -> Rendered:
    return render(one.kind, language, one.values, TODAY)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("language", Language)
def test_every_kind_is_written_in_every_language(kind: Kind, language: Language) -> None:
    rendered = _rendered(NEWS[kind], language)

    page = _Page(rendered.html)
    own = (IN_ENGLISH if language is Language.EN else IN_SPANISH).get(kind, ())
    for words in (*SAID[kind], *own):
        assert words in rendered.text
        assert words in page.words
    assert page.language == language
    assert rendered.subject
    assert rendered.subject in page.words
    assert "\n\n\n" not in rendered.text
    assert len(rendered.subject) <= 78  # RFC 5322 §2.1.1: not folded, and readable in a list.


def test_the_languages_have_the_same_templates() -> None:
    there = {
        language: {path.name for path in (TEMPLATES / language).iterdir()} for language in Language
    }

    assert there[Language.EN] == there[Language.ES]
    assert {f"{kind}.{form}" for kind in Kind for form in ("txt", "html")} <= there[Language.EN]


@pytest.mark.parametrize("language", Language)
def test_no_language_says_what_another_says(language: Language) -> None:
    other = Language.ES if language is Language.EN else Language.EN

    for one in NEWS.values():
        assert _rendered(one, language).subject != _rendered(one, other).subject


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize(
    "reason",
    ["out_of_stock", "payment_declined", "customer_cancelled", "deadline_exceeded", "meteorite"],
)
def test_every_reason_has_its_sentence_even_one_of_tomorrow(
    language: Language, reason: str
) -> None:
    others = {
        _rendered(news.cancellation(ADA, ORDER_ID, _usd(1), other), language).text
        for other in ("out_of_stock", "payment_declined", "customer_cancelled", "deadline_exceeded")
        if other != reason
    }

    text = _rendered(news.cancellation(ADA, ORDER_ID, _usd(1), reason), language).text

    assert text not in others
    assert reason not in text


def test_the_spanish_mail_has_the_spanish_reason() -> None:
    one = news.cancellation(ADA, ORDER_ID, _usd(1), "payment_declined")

    assert "Tu pago fue rechazado." in _rendered(one, Language.ES).html
    assert "Your payment was declined." in _rendered(one, Language.EN).html


@pytest.mark.parametrize("language", Language)
def test_a_products_name_is_text_in_html_too(language: Language) -> None:
    lines = (BoughtLine(EVIL, 1, _usd(1999)),)

    rendered = _rendered(news.confirmation(ADA, ORDER_ID, lines, SUMS), language)

    page = _Page(rendered.html)
    assert "script" not in page.tags
    assert EVIL in page.words
    assert EVIL in rendered.text


@pytest.mark.parametrize("language", Language)
def test_a_link_leads_where_the_bank_is(language: Language) -> None:
    rendered = _rendered(news.challenge(ADA, ORDER_ID, _usd(1), f'{URL}"onclick=x'), language)

    assert _Page(rendered.html).links == [f'{URL}"onclick=x']
    assert 'href="https://bank.example/3ds?id=1&amp;key=s&#34;onclick=x"' in rendered.html


def test_nothing_is_loaded_from_anywhere() -> None:
    """No picture that tells the sender who reads when."""
    for one in NEWS.values():
        page = _Page(_rendered(one).html)
        assert page.tags.isdisjoint({"img", "script", "link", "iframe", "object", "form"})
        assert page.links == ([URL] if one.kind is Kind.ACTION_REQUIRED else [])


def test_a_name_that_is_none_is_not_greeted() -> None:
    rendered = _rendered(news.welcome(ADA, "customer-1", "Win at evil.example"))

    assert "evil" not in rendered.text + rendered.html
    assert re.search(r"^Hello,$", rendered.text, re.MULTILINE)


def test_an_order_of_before_totals_were_told_has_its_total_alone() -> None:
    rendered = _rendered(news.confirmation(ADA, ORDER_ID, LINES, Sums(_usd(1999))))

    assert "Total: 19.99 USD" in rendered.text
    assert "Tax" not in rendered.text + rendered.html
    assert "None" not in rendered.text + rendered.html


def test_a_value_that_is_missing_is_an_error_and_not_a_gap() -> None:
    with pytest.raises(UndefinedError):
        render(Kind.REFUND, Language.EN, {"order_id": ORDER_ID}, TODAY)
