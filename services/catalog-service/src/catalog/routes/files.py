"""Files of products as bytes, into rows: CSV (RFC 4180) and JSON lines. Checks no row's values."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import orjson
from common import bodies
from common.bodies import MalformedJson
from common.card_numbers import CardNumberRefused, refuse_card_numbers
from pydantic import ValidationError

from catalog.domain.imports import (
    FILE_ROWS_MAX,
    OPTIONAL_COLUMNS,
    REQUIRED_COLUMNS,
    MalformedImport,
    Row,
    RowError,
    TooManyRows,
)
from catalog.domain.products import Listing
from catalog.routes.bodies import ListingIn, listing

# A row of ours has some 150; whoever sends this much in one cell has lost a quotation mark.
CELL_CHARS_MAX: Final = 10_000
# A tenth of it is read as strictly as any JSON body; the rest is row by row.
LINE_BYTES_MAX: Final = 64 * 1024
_NUMBER: Final = re.compile(r"-?[0-9]{1,9}")
_COLUMNS: Final = {*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS}


def read_csv(body: bytes) -> list[Row]:
    """The first line names the columns, in any order.

    Raises CardNumberRefused for one in there, MalformedImport, TooManyRows.
    """
    lines = csv.reader(io.StringIO(_text(body), newline=""), strict=True)
    try:
        header = [name.strip() for name in next(lines, [])]
        _check_columns(header)
        return _limited(_csv_rows(header, lines))
    except csv.Error as error:
        raise MalformedImport(f"line {lines.line_num}: {error}") from error


def read_ndjson(body: bytes) -> list[Row]:
    """One JSON object a line (application/x-ndjson). Raises MalformedImport, TooManyRows."""
    lines = (line for line in _text(body).split("\n") if line.strip())
    return _limited(_ndjson_row(number, line) for number, line in enumerate(lines, start=1))


READERS: Final[Mapping[str, Callable[[bytes], list[Row]]]] = {
    "text/csv": read_csv,
    "application/x-ndjson": read_ndjson,
}


def check(rows: Iterable[Row]) -> tuple[list[Listing], list[RowError]]:
    """The rows that are products, and what is wrong with the others."""
    listings: list[Listing] = []
    errors: list[RowError] = []
    for row in rows:
        if row.fault or row.fields is None:
            errors.append(RowError(row.number, _sku(row), row.pointer, row.fault or ""))
            continue
        try:
            found = ListingIn.model_validate(row.fields)
        except ValidationError as error:
            errors += _faults(row, error)
        else:
            listings.append(listing(found.sku, found))
    return listings, errors


def _text(body: bytes) -> str:
    try:
        text = body.decode("utf-8-sig")  # Spreadsheets begin with a byte order mark.
    except UnicodeDecodeError as error:
        raise MalformedImport(f"it is not UTF-8 at byte {error.start}") from error
    if "\x00" in text:
        raise MalformedImport("it holds a NUL character")
    return text


def _check_columns(header: list[str]) -> None:
    refuse_card_numbers(*header)
    missing = [name for name in REQUIRED_COLUMNS if name not in header]
    unknown = [name for name in header if name not in _COLUMNS]
    if missing or unknown or len(set(header)) != len(header):
        raise MalformedImport(
            "the first line has to name the columns, each once",
            missing=missing,
            unknown=[name[:64] for name in unknown[:20]],
        )


def _limited(rows: Iterator[Row]) -> list[Row]:
    found: list[Row] = []
    for row in rows:
        if len(found) == FILE_ROWS_MAX:
            raise TooManyRows(f"at most {FILE_ROWS_MAX} rows", rows_max=FILE_ROWS_MAX)
        found.append(row)
    if not found:
        raise MalformedImport("it has no rows")
    return found


def _csv_rows(header: list[str], lines: Iterator[list[str]]) -> Iterator[Row]:
    number = 0
    for cells in lines:
        if not cells:
            continue  # An empty line, such as the last one.
        number += 1
        if len(cells) != len(header):
            yield Row(number, None, f"{len(cells)} cells, {len(header)} columns")
        elif max(map(len, cells)) > CELL_CHARS_MAX:
            yield Row(number, None, f"a cell of more than {CELL_CHARS_MAX} characters")
        else:
            yield _csv_row(number, header, cells)


def _csv_row(number: int, header: list[str], cells: list[str]) -> Row:
    try:
        refuse_card_numbers(*cells)
    except CardNumberRefused as error:
        return Row(number, None, error.detail)
    filled = {name: cell for name, cell in zip(header, cells, strict=True) if cell}
    return Row(number, _with_number(filled))


def _with_number(cells: Mapping[str, str]) -> dict[str, Any]:
    """A price is a whole number of minor units; anything else stays text and is refused."""
    price = cells.get("price_minor", "")
    return {**cells, "price_minor": int(price)} if _NUMBER.fullmatch(price) else dict(cells)


def _ndjson_row(number: int, line: str) -> Row:
    raw = line.encode()
    if len(raw) > LINE_BYTES_MAX:
        return Row(number, None, f"more than {LINE_BYTES_MAX} bytes")
    try:
        refuse_card_numbers(line)
        bodies.check(raw)
    except (CardNumberRefused, MalformedJson) as error:
        return Row(number, None, error.detail)
    fields = orjson.loads(raw)
    if not isinstance(fields, dict):
        return Row(number, None, "it is no JSON object")
    return Row(number, fields)


def _faults(row: Row, error: ValidationError) -> list[RowError]:
    return [
        RowError(row.number, _sku(row), "/" + "/".join(map(str, fault["loc"])), fault["msg"])
        for fault in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def _sku(row: Row) -> str | None:
    sku = row.fields.get("sku") if row.fields else None
    return sku[:64] if isinstance(sku, str) else None
