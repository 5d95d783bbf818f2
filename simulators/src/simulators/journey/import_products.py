"""`cartwright import-products`: a file of products into the catalog, with its progress.

It also makes that file of the journey's whole product table; checking rows is the catalog's work.
"""

import csv
import hashlib
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import typer
from cartwright import location
from harness import stack
from harness.identity.tokens import staff_token
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from simulators.journey.derive import derive
from simulators.journey.load import JourneyNotInstalled, SourceTables, load_source
from simulators.journey.names import NOT_RECORDED, department_name, product_name, title

EXIT_REJECTED, EXIT_COULD_NOT_RUN = 1, 2
MEDIA_TYPES: Final = {".csv": "text/csv", ".ndjson": "application/x-ndjson"}
TOKEN_VARIABLE: Final = "CARTWRIGHT_STAFF_TOKEN"  # noqa: S105  Its name, not its value.
# The catalog takes a second to read the largest file; uploading it takes longer.
TIMEOUT_S: Final = 60.0
# A chunk of a thousand rows takes about as long.
LOOK_AGAIN_S: Final = 0.2
# More on a screen nobody reads; all of them are in the file.
ERRORS_SHOWN: Final = 20
ERRORS_PER_PAGE: Final = 100
COLUMNS: Final = (
    "sku", "name", "department", "category", "product_type", "brand", "size",
    "product_group_id", "price_minor",
)  # fmt: skip
# What a product costs whose whole department nobody ever bought from.
PRICE_MINOR_UNKNOWN: Final = 199

console = Console(highlight=False)


class ImportRefused(Exception):
    """The catalog did not take the file; the message says why."""


def import_products(
    file: Annotated[Path, typer.Argument(help="Products as .csv or .ndjson, up to 32 MiB.")],
    *,
    url: Annotated[
        str | None,
        typer.Option(
            help=f"The catalog's. Needs a staff token in {TOKEN_VARIABLE}. Default: the shop here."
        ),
    ] = None,
    make: Annotated[
        bool, typer.Option("--make", help="First write FILE: all 92,331 products of the journey.")
    ] = False,
    only_make: Annotated[
        bool, typer.Option("--only-make", help="Write FILE, import nothing.")
    ] = False,
    home: location.HomeOption = None,
) -> None:
    """Create and change products from a file, and show what was wrong with it.

    Exit code 0: all rows are in. 1: some were rejected. 2: the import could not be made.
    """
    try:
        if make or only_make:
            rows = write_file(file, load_source())
            console.print(f"{file}: {rows:,} products")
        if only_make:
            return
        base_url, token = _catalog(url, home)
        with httpx.Client(
            base_url=base_url, timeout=TIMEOUT_S, headers={"Authorization": f"Bearer {token}"}
        ) as http:
            finished = _follow(http, _upload(http, file))
            _report(http, finished)
    except (ImportRefused, JourneyNotInstalled, OSError, httpx.HTTPError) as error:
        console.print(f"[red]{error}[/]")
        raise typer.Exit(EXIT_COULD_NOT_RUN) from error
    if finished["state"] != "done":
        raise typer.Exit(EXIT_COULD_NOT_RUN)
    if finished["rejected"]:
        raise typer.Exit(EXIT_REJECTED)


def write_file(path: Path, source: SourceTables) -> int:
    """Write every product of *source*'s table as CSV; how many there are."""
    rows = list(product_rows(source))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def product_rows(source: SourceTables) -> Iterator[dict[str, object]]:
    """One for each product of the table, in its order.

    What nobody bought has no price of its own: it costs the median of its type, else of its
    department. Products of one maker, brand, category and type whose sizes differ are variants.
    """
    journey = derive(source.transactions, source.products)
    table = source.products.fillna("")
    table["own"] = [
        journey.products[sku].price_minor if sku in journey.products else None
        for sku in table.product_id.astype(str)
    ]
    of_type = table.groupby(["product_category", "product_type"]).own.transform("median")
    of_department = table.groupby("department").own.transform("median")
    table["price"] = (
        table.own.fillna(of_type).fillna(of_department).fillna(PRICE_MINOR_UNKNOWN).round()
    ).astype("int64")
    kin = table[table.package_size != ""].groupby(
        ["manufacturer_id", "brand", "department", "product_category", "product_type"]
    )
    sizes = kin.package_size.transform("nunique").reindex(table.index, fill_value=0)
    for row, sizes_of_group in zip(table.itertuples(index=False), sizes, strict=True):
        yield _row(row, has_variants=sizes_of_group > 1)


def _row(row: Any, *, has_variants: bool) -> dict[str, object]:
    sku = str(row.product_id)
    kin = (row.manufacturer_id, row.brand, row.department, row.product_category, row.product_type)
    group = hashlib.sha256(repr(tuple(map(str, kin))).encode()).hexdigest()[:16]
    return {
        "sku": sku,
        "name": product_name(
            sku,
            kind=row.product_type,
            category=row.product_category,
            package_size=row.package_size,
        ),
        "department": department_name(row.department),
        "category": title(row.product_category) or NOT_RECORDED,
        "product_type": title(row.product_type),
        "brand": row.brand,
        "size": " ".join(row.package_size.split()).lower(),
        "product_group_id": group if has_variants and row.product_type else "",
        "price_minor": row.price,
    }


def _catalog(url: str | None, home: Path | None) -> tuple[str, str]:
    """Its URL and a token. Raises ImportRefused, typer.Exit."""
    token = os.environ.get(TOKEN_VARIABLE)
    if url:
        if not token:
            raise ImportRefused(f"--url needs the token of somebody of the staff: {TOKEN_VARIABLE}")
        return url, token
    endpoints = stack.endpoints(location.find(home).path)
    if endpoints is None:
        console.print("The shop is not running: cartwright up")
        raise typer.Exit(location.EXIT_NOT_RUNNING)
    return endpoints.services["catalog"], token or staff_token(endpoints.jwt_secret)


def _upload(http: httpx.Client, file: Path) -> dict[str, Any]:
    """Raises ImportRefused."""
    media_type = MEDIA_TYPES.get(file.suffix.lower())
    if media_type is None:
        raise ImportRefused(f"{file} is neither {' nor '.join(MEDIA_TYPES)}")
    headers = {"Content-Type": media_type, "Idempotency-Key": str(uuid.uuid4())}
    return _body(http.post("/product-imports", content=file.read_bytes(), headers=headers))


def _follow(http: httpx.Client, started: dict[str, Any]) -> dict[str, Any]:
    """The import as it is when nothing is left to do. Ctrl-C ends only the looking."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    now = started
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("products", total=started["rows_total"])
        while now["state"] in {"accepted", "running"}:
            time.sleep(LOOK_AGAIN_S)
            now = _body(http.get(f"/product-imports/{started['id']}"))
            progress.update(task, completed=now["rows_done"])
    return now


def _report(http: httpx.Client, finished: Mapping[str, Any]) -> None:
    counts = ", ".join(
        f"{finished[name]:,} {name}" for name in ("created", "changed", "unchanged", "rejected")
    )
    console.print(f"Import {finished['id']}: {finished['state']}, {counts}")
    if not finished["rejected"]:
        return
    path = Path(f"import-{finished['id']}-errors.csv")
    errors = list(_errors(http, finished["id"]))
    _write_errors(path, errors)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("row", "sku", "where", "what"):
        table.add_column(column, overflow="fold")
    for error in errors[:ERRORS_SHOWN]:
        table.add_row(
            str(error["row"]), error["sku"] or "", error["pointer"] or "the row", error["detail"]
        )
    console.print(table)
    console.print(f"{len(errors):,} errors are in {path}")


def _errors(http: httpx.Client, import_id: str) -> Iterator[dict[str, Any]]:
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": ERRORS_PER_PAGE} | ({"cursor": cursor} if cursor else {})
        page = _body(http.get(f"/product-imports/{import_id}/errors", params=query))
        yield from page["items"]
        cursor = page["next_cursor"]


def _write_errors(path: Path, errors: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ("row", "sku", "pointer", "detail"))
        writer.writeheader()
        writer.writerows(errors)


def _body(response: httpx.Response) -> dict[str, Any]:
    """Raises ImportRefused."""
    if response.is_error:
        raise ImportRefused(f"the catalog answered {response.status_code}: {response.text[:500]}")
    body: dict[str, Any] = response.json()
    return body
