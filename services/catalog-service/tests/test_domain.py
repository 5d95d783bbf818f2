import pytest
from catalog import domain
from catalog.domain import Availability, Price

MUG = Price("MUG-1", "Mug", 950)
JAR = Price("JAR-1", "Jar", 400)


def test_a_quote_keeps_the_order_asked_and_names_what_is_unknown() -> None:
    quote = domain.quote(["JAR-1", "NO-1", "MUG-1"], {"MUG-1": MUG, "JAR-1": JAR})

    assert quote.prices == [JAR, MUG]
    assert quote.unknown == ["NO-1"]
    assert quote.currency == "USD"


def test_low_stock_is_limited_until_none_is_left() -> None:
    assert domain.availability_when_low(1) is Availability.LIMITED
    assert domain.availability_when_low(0) is Availability.OUT_OF_STOCK


@pytest.mark.parametrize("sku", ["1", "1082185", "MUG-1", "a.b_c-d", "x" * 64])
def test_a_cursor_leads_back_to_its_sku(sku: str) -> None:
    assert domain.sku_before(domain.cursor_after(sku)) == sku


@pytest.mark.parametrize("cursor", ["", "!", "MQ==x", "AAAA", "é", "Jw", "A" * 100])
def test_what_was_never_a_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(ValueError, match="not a cursor of ours"):
        domain.sku_before(cursor)


@pytest.mark.parametrize(
    "text", ["", "-a", "a b", "a/b", "a\n", "é", "x" * 65, "a\x00", "'; DROP TABLE products"]
)
def test_what_is_no_article_number_is_no_sku(text: str) -> None:
    assert not domain.is_sku(text)
