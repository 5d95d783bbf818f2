"""The committed sample as bytes: written, and read back with proven checksums. It opens no file.

Two gzipped CSV tables and a manifest, readable with the standard library alone.
"""

import csv
import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from simulators.journey.domain import Basket, Journey, JourneyLine, Product, Window

PRODUCTS_FILE = "products.csv.gz"
BASKETS_FILE = "baskets.csv.gz"
MANIFEST_FILE = "manifest.json"

PRODUCT_COLUMNS = ("sku", "name", "department", "category", "price_minor", "currency")
BASKET_COLUMNS = ("id", "household_id", "at", "lines")


class JourneyDamaged(Exception):
    """A file of the sample is missing, unreadable or not the one that was committed."""

    def __init__(self, file: str, fault: str) -> None:
        super().__init__(
            f"the journey sample is damaged: {file} {fault}; restore it from version control, or "
            "make it anew with `uv sync --extra journey` and "
            "`python -m simulators.journey.make_sample`"
        )


@dataclass(frozen=True, slots=True)
class Manifest:
    """The sample's source, its window, what was left out, and each table's checksum."""

    source: str
    window: Window
    left_out: Mapping[str, int]
    sha256: Mapping[str, str]


def encode(journey: Journey, *, source: str, window: Window) -> dict[str, bytes]:
    """The sample's files by name. The same journey gives the same bytes."""
    tables = {
        PRODUCTS_FILE: _table(PRODUCT_COLUMNS, map(_product_row, journey.products.values())),
        BASKETS_FILE: _table(BASKET_COLUMNS, map(_basket_row, journey.baskets)),
    }
    manifest = {
        "source": source,
        "window": {"start": window.start.isoformat(), "end": window.end.isoformat()},
        "left_out": dict(journey.left_out),
        "sha256": {name: _checksum(text) for name, text in tables.items()},
    }
    files = {name: _gzipped(text) for name, text in tables.items()}
    return {**files, MANIFEST_FILE: (json.dumps(manifest, indent=2) + "\n").encode()}


def decode(files: Mapping[str, bytes]) -> Journey:
    """The journey in these files; raises JourneyDamaged unless every checksum holds."""
    manifest = decode_manifest(files)
    products = [_product(row) for row in _rows(files, manifest, PRODUCTS_FILE)]
    baskets = tuple(_basket(row) for row in _rows(files, manifest, BASKETS_FILE))
    return Journey(
        products={product.sku: product for product in products},
        baskets=baskets,
        left_out=manifest.left_out,
    )


def decode_manifest(files: Mapping[str, bytes]) -> Manifest:
    """The manifest among these files; raises JourneyDamaged when it cannot be read."""
    try:
        content: dict[str, Any] = json.loads(_file(files, MANIFEST_FILE))
        window = content["window"]
        return Manifest(
            source=content["source"],
            window=Window(*(datetime.fromisoformat(window[side]) for side in ("start", "end"))),
            left_out=dict(content["left_out"]),
            sha256={name: content["sha256"][name] for name in (PRODUCTS_FILE, BASKETS_FILE)},
        )
    except (ValueError, KeyError, TypeError) as error:
        raise JourneyDamaged(MANIFEST_FILE, f"cannot be read ({error!r})") from error


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


def _gzipped(text: bytes) -> bytes:
    """No time and no file name inside, or the same table would differ from run to run."""
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, compresslevel=9, mtime=0) as file:
        file.write(text)
    return packed.getvalue()


def _checksum(text: bytes) -> str:
    """Of the unpacked table: another build of zlib may pack the same table differently."""
    return hashlib.sha256(text).hexdigest()


def _rows(files: Mapping[str, bytes], manifest: Manifest, name: str) -> Iterable[list[str]]:
    try:
        text = gzip.decompress(_file(files, name))
    except (OSError, EOFError, zlib.error) as error:
        raise JourneyDamaged(name, f"cannot be unpacked ({error})") from error
    if _checksum(text) != manifest.sha256[name]:
        raise JourneyDamaged(name, f"has another checksum than {MANIFEST_FILE} says")

    rows = csv.reader(io.StringIO(text.decode(), newline=""))
    next(rows)
    return rows


def _file(files: Mapping[str, bytes], name: str) -> bytes:
    if name not in files:
        raise JourneyDamaged(name, "is missing")
    return files[name]


def _product_row(product: Product) -> tuple[object, ...]:
    return tuple(getattr(product, column) for column in PRODUCT_COLUMNS)


def _product(row: list[str]) -> Product:
    sku, name, department, category, price_minor, currency = row
    return Product(sku, name, department, category, int(price_minor), currency)


def _basket_row(basket: Basket) -> tuple[object, ...]:
    lines = " ".join(f"{line.sku}x{line.quantity}" for line in basket.lines)
    return basket.id, basket.household_id, basket.at.isoformat(), lines


def _basket(row: list[str]) -> Basket:
    basket_id, household_id, at, text = row
    lines = tuple(map(_line, text.split(" ")))
    return Basket(basket_id, household_id, datetime.fromisoformat(at), lines)


def _line(text: str) -> JourneyLine:
    sku, _, quantity = text.partition("x")
    return JourneyLine(sku, int(quantity))
