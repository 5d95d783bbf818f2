"""Measures a journey and prints the table of docs/data.md. It judges nothing.

`python -m simulators.journey.figures` measures the sample; with `--year` the whole year, which
needs the extra `journey`.
"""

import argparse
import sys
from collections import Counter
from statistics import median

from simulators.journey.domain import Basket, Journey, Product
from simulators.journey.load import load_full, load_sample


def table(journey: Journey) -> str:
    """The figures as a Markdown table. `journey`: at least one basket."""
    rows = [*_size_rows(journey), *_shape_rows(journey), *_left_out_rows(journey)]
    return "\n".join(["| figure | value |", "|---|---|", *(f"| {k} | {v} |" for k, v in rows)])


def _size_rows(journey: Journey) -> list[tuple[str, str]]:
    first, last = journey.baskets[0].at, journey.baskets[-1].at
    lines = sum(len(basket.lines) for basket in journey.baskets)
    units = sum(line.quantity for basket in journey.baskets for line in basket.lines)
    households = len({basket.household_id for basket in journey.baskets})
    return [
        ("first basket", first.isoformat()),
        ("last basket", last.isoformat()),
        ("baskets", f"{len(journey.baskets):,}"),
        ("lines", f"{lines:,}"),
        ("units", f"{units:,}"),
        ("distinct SKUs", f"{len(journey.products):,}"),
        ("households", f"{households:,}"),
    ]


def _shape_rows(journey: Journey) -> list[tuple[str, str]]:
    lengths = [len(basket.lines) for basket in journey.baskets]
    values = [_value_minor(basket, journey.products) for basket in journey.baskets]
    lines_of = Counter(line.sku for basket in journey.baskets for line in basket.lines)
    [(hottest, times)] = lines_of.most_common(1)
    largest = max(line.quantity for basket in journey.baskets for line in basket.lines)
    return [
        ("lines a basket, mean", f"{sum(lengths) / len(lengths):.2f}"),
        ("lines a basket, median", f"{median(lengths):g}"),
        ("lines a basket, most", f"{max(lengths)}"),
        ("baskets of one line", f"{lengths.count(1):,}"),
        ("units a line, most", f"{largest}"),
        ("value at shelf prices, all", _dollars(sum(values))),
        ("value at shelf prices, mean basket", _dollars(sum(values) / len(values))),
        ("value at shelf prices, dearest basket", _dollars(max(values))),
        ("hottest SKU", f"{hottest} ({journey.products[hottest].name})"),
        ("lines of the hottest SKU", f"{times:,} ({times / sum(lengths):.2%} of all lines)"),
    ]


def _left_out_rows(journey: Journey) -> list[tuple[str, str]]:
    return [
        (f"left out: {reason.replace('_', ' ')}", f"{count:,}")
        for reason, count in journey.left_out.items()
    ]


def _value_minor(basket: Basket, products: dict[str, Product]) -> int:
    return sum(products[line.sku].price_minor * line.quantity for line in basket.lines)


def _dollars(minor: float) -> str:
    return f"${minor / 100:,.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m simulators.journey.figures")
    parser.add_argument("--year", action="store_true", help="measure the whole year")
    journey = load_full() if parser.parse_args().year else load_sample()
    sys.stdout.write(table(journey) + "\n")


if __name__ == "__main__":
    main()
