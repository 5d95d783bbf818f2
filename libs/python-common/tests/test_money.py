import pytest
from common.money import Money


def test_money_adds_and_multiplies_in_minor_units() -> None:
    assert Money(1999, "USD").times(3) + Money(1, "USD") == Money(5998, "USD")


def test_currencies_do_not_mix() -> None:
    with pytest.raises(ValueError, match="cannot add EUR to USD"):
        Money(1, "USD") + Money(1, "EUR")


def test_money_reads_as_people_write_it() -> None:
    assert str(Money(1905, "USD")) == "19.05 USD"
