"""`cartwright import-products` against a catalog that answers from a script."""

import csv
from pathlib import Path
from typing import Any

import httpx
import pytest
from cartwright import cli
from cartwright.location import EXIT_NOT_RUNNING
from simulators.journey import import_products
from simulators.journey.load import SourceTables
from typer.testing import CliRunner

ID = "0190b1c5-0000-7000-8000-000000000001"
CSV = "sku,name,department,category,price_minor\nMUG-1,Mug,KITCHEN,CUPS,950\n"
ERROR = {"row": 7, "sku": "MUG-7", "pointer": "/price_minor", "detail": "Input should be > 0"}


class Catalog:
    """Takes any file, then is done after one look; *rejected* rows have an error each."""

    def __init__(self, rejected: int = 0) -> None:
        self.rejected = rejected
        self.refusal: httpx.Response | None = None
        self.looks = 0
        self.uploads: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.refusal:
            return self.refusal
        if request.method == "POST":
            self.uploads.append(request)
            return httpx.Response(202, json=self.progress("accepted", 0))
        if request.url.path.endswith("/errors"):
            return httpx.Response(200, json=self.errors(request.url.params.get("cursor")))
        self.looks += 1
        done = self.looks > 1
        return httpx.Response(200, json=self.progress(*(("done", 3) if done else ("running", 1))))

    def errors(self, cursor: str | None) -> dict[str, Any]:
        """One a page."""
        position = int(cursor or 0) + 1
        following = str(position) if position < self.rejected else None
        return {"items": [ERROR | {"row": position}], "next_cursor": following}

    def progress(self, state: str, done: int) -> dict[str, Any]:
        created = max(done - self.rejected, 0)
        return {
            "id": ID, "state": state, "rows_total": 3, "rows_done": done, "created": created,
            "changed": 0, "unchanged": 0, "rejected": self.rejected if done else 0,
        }  # fmt: skip


@pytest.fixture
def catalog(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Catalog:
    catalog = Catalog()
    real = httpx.Client

    def client(**options: Any) -> httpx.Client:
        return real(transport=httpx.MockTransport(catalog), **options)

    monkeypatch.setattr(httpx, "Client", client)
    monkeypatch.setattr(import_products, "LOOK_AGAIN_S", 0.0)
    monkeypatch.setenv(import_products.TOKEN_VARIABLE, "token-of-sam")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "products.csv").write_text(CSV)
    return catalog


def run(*arguments: str) -> tuple[int, str]:
    app = cli.build(["import-products", "doctor"])
    answer = CliRunner().invoke(app, ["import-products", *arguments])
    return answer.exit_code, " ".join(answer.output.split())


def test_a_file_is_sent_and_followed_to_its_end(catalog: Catalog) -> None:
    code, output = run("products.csv", "--url", "http://catalog")

    (upload,) = catalog.uploads
    assert code == 0
    assert upload.content.decode() == CSV
    assert upload.headers["Content-Type"] == "text/csv"
    assert upload.headers["Authorization"] == "Bearer token-of-sam"
    assert upload.headers["Idempotency-Key"]
    assert f"Import {ID}: done, 3 created, 0 changed, 0 unchanged, 0 rejected" in output


def test_rejected_rows_are_shown_and_kept_in_a_file(catalog: Catalog, tmp_path: Path) -> None:
    catalog.rejected = 2

    code, output = run("products.csv", "--url", "http://catalog")

    with (tmp_path / f"import-{ID}-errors.csv").open(newline="") as file:
        kept = list(csv.DictReader(file))
    assert code == import_products.EXIT_REJECTED
    assert [error["row"] for error in kept] == ["1", "2"]
    assert "MUG-7 /price_minor Input should be > 0" in output
    assert f"2 errors are in import-{ID}-errors.csv" in output


def test_what_the_catalog_refuses_is_shown_in_its_words(catalog: Catalog) -> None:
    catalog.refusal = httpx.Response(400, json={"title": "The file cannot be read as products"})

    code, output = run("products.csv", "--url", "http://catalog")

    assert code == import_products.EXIT_COULD_NOT_RUN
    assert "the catalog answered 400" in output
    assert "The file cannot be read as products" in output


@pytest.mark.usefixtures("catalog")
@pytest.mark.parametrize(
    ("file", "said"),
    [("nowhere.csv", "No such file"), ("products.xlsx", "neither .csv nor .ndjson")],
)
def test_what_cannot_be_sent_is_refused_before_anything_is(
    catalog: Catalog, file: str, said: str
) -> None:
    code, output = run(file, "--url", "http://catalog")

    assert code == import_products.EXIT_COULD_NOT_RUN
    assert said in output
    assert catalog.uploads == []


@pytest.mark.usefixtures("catalog")
def test_somebody_elses_catalog_wants_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(import_products.TOKEN_VARIABLE)

    code, output = run("products.csv", "--url", "http://catalog")

    assert code == import_products.EXIT_COULD_NOT_RUN
    assert import_products.TOKEN_VARIABLE in output


@pytest.mark.usefixtures("catalog")
def test_without_a_shop_it_says_how_to_start_one(tmp_path: Path) -> None:
    code, output = run("products.csv", "--home", str(tmp_path))

    assert code == EXIT_NOT_RUNNING
    assert "cartwright up" in output


def test_what_nobody_bought_costs_as_its_kin_and_sizes_are_variants(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="needs `uv sync --extra journey`")
    columns = ["manufacturer_id", "department", "brand", "product_category", "product_type"]
    sauce = (1, "GROCERY", "Private", "FRUIT - SHELF STABLE", "APPLE SAUCE")
    table = pandas.DataFrame([sauce, sauce, (*sauce[:4], None), (2, "DRUG GM", *sauce[2:])])
    table.columns = columns
    products = table.assign(
        product_id=[10, 11, 12, 13], package_size=["50 OZ", "25 OZ", None, "25 OZ"]
    )
    bought = pandas.DataFrame(
        {
            "household_id": 7, "basket_id": [1], "product_id": [10], "quantity": [1],
            "sales_value": [2.0], "retail_disc": [0.0], "coupon_match_disc": [0.0],
            "transaction_timestamp": pandas.to_datetime(["2017-04-08 12:00:00"]),
        }
    )  # fmt: skip
    path = tmp_path / "products.csv"

    count = import_products.write_file(path, SourceTables(bought, products, "test"))

    with path.open(newline="") as file:
        rows = {row["sku"]: row for row in csv.DictReader(file)}
    assert count == len(rows) == 4
    assert [row["price_minor"] for row in rows.values()] == ["200", "200", "200", "200"]
    groups = [row["product_group_id"] for row in rows.values()]
    assert groups[0] == groups[1] != ""
    assert groups[2:] == ["", ""]
