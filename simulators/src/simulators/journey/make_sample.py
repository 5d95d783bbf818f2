"""Makes the committed sample from the package: `python -m simulators.journey.make_sample`.

Needs the extra `journey`. Run twice it writes the same bytes. It decides no rule: derive.py does.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from string import Template
from zoneinfo import ZoneInfo

from simulators.journey.derive import derive
from simulators.journey.domain import Basket, Journey, Window
from simulators.journey.figures import table
from simulators.journey.load import SAMPLE_FOLDER, SourceTables, load_source
from simulators.journey.sample_format import encode

# Enough for ten minutes at more than one checkout a second, and small enough to commit.
BASKETS_WANTED = 900
# The clock the source was recorded by: its preparation script (data-raw/prep-data.R) says so.
STORE_CLOCK = ZoneInfo("America/New_York")
README_TEMPLATE = Path(__file__).parent / "sample_readme.md.template"


@dataclass(frozen=True, slots=True)
class TwoDays:
    """Two days in a row by the shop's clock, and how many baskets each has."""

    first: date
    baskets: tuple[int, int]

    @property
    def window(self) -> Window:
        return Window(_midnight(self.first), _midnight(self.first + timedelta(days=2)))


def choose_days(baskets: tuple[Basket, ...]) -> TwoDays:
    """The two days in a row whose baskets come nearest to BASKETS_WANTED; of equals the first."""
    count = Counter(basket.at.astimezone(STORE_CLOCK).date() for basket in baskets)
    pairs = [
        TwoDays(day, (count[day], count[day + timedelta(days=1)]))
        for day in sorted(count)
        if day + timedelta(days=1) in count
    ]
    return min(pairs, key=lambda pair: abs(sum(pair.baskets) - BASKETS_WANTED))


def sample_files(source: SourceTables, days: TwoDays) -> dict[str, bytes]:
    """Every file of the sample's folder by name, its README among them."""
    journey = derive(source.transactions, source.products, days.window)
    files = encode(journey, source=source.release, window=days.window)
    readme = _readme(journey, days, release=source.release)
    return {**files, "README.md": readme.encode()}


def write_files(files: Mapping[str, bytes], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _readme(journey: Journey, days: TwoDays, *, release: str) -> str:
    first, second = days.baskets
    return Template(README_TEMPLATE.read_text(encoding="utf-8")).substitute(
        release=release,
        first_day=days.first.isoformat(),
        second_day=(days.first + timedelta(days=1)).isoformat(),
        first_count=first,
        second_count=second,
        wanted=BASKETS_WANTED,
        figures=table(journey),
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, STORE_CLOCK).astimezone(UTC)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m simulators.journey.make_sample")
    parser.add_argument("--folder", type=Path, default=SAMPLE_FOLDER, help="where to write")
    folder: Path = parser.parse_args().folder

    source = load_source()
    days = choose_days(derive(source.transactions, source.products).baskets)
    files = sample_files(source, days)
    write_files(files, folder)

    sys.stdout.write(
        f"{days.first} and the day after: {' + '.join(map(str, days.baskets))} baskets\n"
    )
    for name, content in sorted(files.items()):
        sys.stdout.write(f"{folder / name}: {len(content):,} bytes\n")


if __name__ == "__main__":
    main()
