"""Files of products: accepted at once, written by the worker, every wrong row named."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from catalog import worker
from catalog.clients import ProductCache
from catalog.domain import imports as domain
from catalog.domain.products import Listing
from catalog.routes import files
from catalog.use_cases import imports as use_cases
from common.auth import Role
from common.db import Database
from common.testing import bearer, published
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

HEADER = "sku,name,department,category,price_minor\n"
MUG = {"name": "Blue mug", "department": "KITCHEN", "category": "CUPS", "price_minor": 950}


def line(number: int, price: object = 950) -> str:
    return f"MUG-{number},Blue mug,KITCHEN,CUPS,{price}\n"


def rows(count: int) -> str:
    return HEADER + "".join(line(number) for number in range(1, count + 1))


def send(
    client: FlaskClient, staff: Mapping[str, str], body: str, key: str = "key-1", **headers: str
) -> TestResponse:
    fixed = {"Idempotency-Key": key, "Content-Type": headers.get("type", "text/csv")}
    return client.post("/product-imports", data=body.encode(), headers={**staff, **fixed})


def problem(response: TestResponse) -> tuple[int, str]:
    assert response.content_type == "application/problem+json"
    return response.status_code, response.get_json()["type"]


def write_all(db: Database, cache: ProductCache) -> int:
    """Chunks written."""
    return sum(1 for _ in iter(lambda: worker.import_chunk(db, cache), 0))


def read(client: FlaskClient, staff: Mapping[str, str], accepted: TestResponse) -> dict[str, Any]:
    progress: dict[str, Any] = client.get(accepted.location, headers=dict(staff)).get_json()
    return progress


def errors(client: FlaskClient, staff: Mapping[str, str], accepted: TestResponse) -> list[Any]:
    page = client.get(f"{accepted.location}/errors?limit=100", headers=dict(staff)).get_json()
    return [(e["row"], e["sku"], e["pointer"]) for e in page["items"]]


class TestAtOnce:
    """Up to 1,000 products as JSON."""

    def test_an_import_tells_nobody_and_repeats_harmlessly(
        self, client: FlaskClient, db: Database, staff: dict[str, str]
    ) -> None:
        body = {"products": [MUG | {"sku": f"MUG-{n}"} for n in range(1000)]}

        first = client.post("/product-imports", json=body, headers=staff)
        again = client.post("/product-imports", json=body, headers=staff)

        assert first.json == {"created": 1000, "changed": 0, "unchanged": 0}
        assert again.json == {"created": 0, "changed": 0, "unchanged": 1000}
        assert published(db) == []

    def test_a_copy_of_before_is_not_served_any_more(
        self, client: FlaskClient, staff: dict[str, str]
    ) -> None:
        for price in (950, 990):
            body = {"products": [MUG | {"sku": "MUG-1", "price_minor": price}]}
            client.post("/product-imports", json=body, headers=staff)
            assert client.get("/products/MUG-1").get_json()["price_minor"] == price

    @pytest.mark.parametrize(
        ("products", "pointer"),
        [
            ([], "/products"),
            ({}, "/products"),
            ([MUG], "/products/0/sku"),
            ([MUG | {"sku": "A"}, MUG | {"sku": "A"}], "/products"),
            ([MUG | {"sku": "A"}, MUG | {"sku": "B", "price_minor": 0}], "/products/1/price_minor"),
            ([MUG | {"sku": "A", "colour": "blue"}], "/products/0/colour"),
            ([MUG | {"sku": f"MUG-{n}"} for n in range(1001)], "/products"),
        ],
        ids=["none", "object", "no SKU", "twice", "no price", "extra", "too many"],
    )
    def test_one_malformed_product_stops_the_whole_import(
        self, client: FlaskClient, staff: dict[str, str], products: object, pointer: str
    ) -> None:
        response = client.post("/product-imports", json={"products": products}, headers=staff)

        assert problem(response) == (400, "/problems/malformed")
        assert [fault["pointer"] for fault in response.get_json()["errors"]] == [pointer]
        assert client.get("/products").get_json()["items"] == []


class TestFile:
    def test_it_is_accepted_at_once_and_written_chunk_by_chunk(
        self, client: FlaskClient, db: Database, cache: ProductCache, staff: dict[str, str]
    ) -> None:
        accepted = send(client, staff, rows(2500))
        before = accepted.get_json()
        worker.import_chunk(db, cache)
        between = read(client, staff, accepted)
        write_all(db, cache)
        after = read(client, staff, accepted)

        assert accepted.status_code == 202
        assert [(p["state"], p["rows_done"]) for p in (before, between, after)] == [
            ("accepted", 0),
            ("running", 1000),
            ("done", 2500),
        ]
        assert after["created"] == after["rows_total"] == 2500
        assert client.get("/products?facets=true").get_json()["facets"]["total"] == 2500

    @pytest.mark.parametrize("form", ["text/csv", "application/x-ndjson"])
    def test_each_wrong_row_is_named_and_the_others_are_written(
        self,
        client: FlaskClient,
        db: Database,
        cache: ProductCache,
        staff: dict[str, str],
        form: str,
    ) -> None:
        csv = HEADER + line(1) + line(2, "-5") + line(3, "") + line(1) + "x,y\n" + line(6)
        ndjson = "\n".join(
            [
                '{"sku":"MUG-1","name":"m","department":"K","category":"C","price_minor":950}',
                '{"sku":"MUG-2","name":"m","department":"K","category":"C","price_minor":-5}',
                '{"sku":"MUG-3","name":"m","department":"K","category":"C"}',
                '{"sku":"MUG-1","name":"m","department":"K","category":"C","price_minor":1}',
                '{"sku":"MUG-5"',
                '{"sku":"MUG-6","name":"m","department":"K","category":"C","price_minor":950}',
            ]
        )

        accepted = send(client, staff, csv if form == "text/csv" else ndjson, type=form)
        write_all(db, cache)

        done = read(client, staff, accepted)
        assert (done["created"], done["rejected"], done["rows_done"]) == (2, 4, 6)
        assert errors(client, staff, accepted) == [
            (2, "MUG-2", "/price_minor"),
            (3, "MUG-3", "/price_minor"),
            (4, "MUG-1", "/sku"),
            (5, None, ""),
        ]
        assert client.get("/products/MUG-1").get_json()["price_minor"] == 950

    def test_the_error_report_comes_as_csv_too_and_runs_no_formula(
        self, client: FlaskClient, db: Database, cache: ProductCache, staff: dict[str, str]
    ) -> None:
        accepted = send(client, staff, HEADER + "=1+1,Blue mug,KITCHEN,CUPS,950\n")
        write_all(db, cache)

        report = client.get(f"{accepted.location}/errors", headers=staff | {"Accept": "text/csv"})

        assert report.content_type == "text/csv; charset=utf-8"
        first, second = report.text.splitlines()
        assert first == "row,sku,pointer,detail"
        assert second.startswith('1,"\'=1+1","/sku",')

    def test_pages_of_errors_join(
        self, client: FlaskClient, db: Database, cache: ProductCache, staff: dict[str, str]
    ) -> None:
        accepted = send(client, staff, HEADER + "".join(line(n, 0) for n in range(5)))
        write_all(db, cache)
        url = f"{accepted.location}/errors"

        first = client.get(f"{url}?limit=3", headers=staff).get_json()
        query = {"limit": 3, "cursor": first["next_cursor"]}
        second = client.get(url, query_string=query, headers=staff).get_json()

        assert [e["row"] for e in first["items"] + second["items"]] == [1, 2, 3, 4, 5]
        assert second["next_cursor"] is None

    def test_two_workers_write_every_row_once(
        self, client: FlaskClient, db: Database, cache: ProductCache, staff: dict[str, str]
    ) -> None:
        accepted = send(client, staff, rows(6000))

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda _: write_all(db, cache), range(2)))
        write_all(db, cache)

        done = read(client, staff, accepted)
        assert (done["state"], done["created"], done["rows_done"]) == ("done", 6000, 6000)

    def test_a_worker_killed_in_the_middle_of_a_chunk_leaves_it_to_the_next(
        self, client: FlaskClient, db: Database, cache: ProductCache, staff: dict[str, str]
    ) -> None:
        accepted = send(client, staff, rows(1500))

        with db.transaction() as tx:
            chunk = use_cases.next_chunk(tx)
            assert chunk is not None
            use_cases.write_chunk(tx, chunk, [], [])
            # As far as the database can tell, the end of the process.
            tx.rollback()
        write_all(db, cache)

        assert read(client, staff, accepted)["created"] == 1500

    def test_what_the_table_refuses_fails_the_import_visibly(
        self,
        client: FlaskClient,
        db: Database,
        cache: ProductCache,
        staff: dict[str, str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        free = Listing("MUG-1", "Blue mug", "KITCHEN", "CUPS", 0)
        monkeypatch.setattr(files, "check", lambda _rows: ([free], []))
        accepted = send(client, staff, rows(1))

        write_all(db, cache)

        progress = read(client, staff, accepted)
        assert (progress["state"], progress["rows_done"]) == ("failed", 0)

    def test_the_same_key_is_the_same_import_and_another_file_is_refused(
        self, client: FlaskClient, staff: dict[str, str]
    ) -> None:
        first, again = send(client, staff, rows(3)), send(client, staff, rows(3))
        other = send(client, staff, rows(4))

        assert first.location == again.location
        assert first.get_json() == again.get_json()
        assert problem(other) == (422, "/problems/idempotency-key-reused")
        assert len(client.get("/product-imports", headers=staff).get_json()["items"]) == 1

    @pytest.mark.parametrize(
        ("body", "type_", "answer"),
        [
            ("", "text/csv", (400, "/problems/malformed-import")),
            (HEADER, "text/csv", (400, "/problems/malformed-import")),
            ("sku,name\n", "text/csv", (400, "/problems/malformed-import")),
            ("sku," + HEADER, "text/csv", (400, "/problems/malformed-import")),
            ("colour," + HEADER, "text/csv", (400, "/problems/malformed-import")),
            (HEADER + '"open', "text/csv", (400, "/problems/malformed-import")),
            (HEADER + "a\x00b", "text/csv", (400, "/problems/malformed-import")),
            ("\n\n", "application/x-ndjson", (400, "/problems/malformed-import")),
            (HEADER, "text/plain", (415, "/problems/product-file-expected")),
        ],
        ids=["empty", "no rows", "columns", "twice", "unknown", "quote", "NUL", "blank", "form"],
    )
    def test_what_is_no_file_of_products_changes_nothing(
        self,
        client: FlaskClient,
        staff: dict[str, str],
        body: str,
        type_: str,
        answer: tuple[int, str],
    ) -> None:
        assert problem(send(client, staff, body, type=type_)) == answer
        assert client.get("/product-imports", headers=staff).get_json()["items"] == []

    def test_bytes_that_are_not_utf8_are_told_where(
        self, client: FlaskClient, staff: dict[str, str]
    ) -> None:
        headers = staff | {"Idempotency-Key": "k", "Content-Type": "text/csv"}

        refused = client.post("/product-imports", data=b"sku\xff", headers=headers)

        assert problem(refused) == (400, "/problems/malformed-import")
        assert "byte 3" in refused.get_json()["detail"]

    def test_more_rows_than_are_taken_are_refused(
        self, client: FlaskClient, staff: dict[str, str]
    ) -> None:
        refused = send(client, staff, HEADER + "a\n" * (domain.FILE_ROWS_MAX + 1))

        assert problem(refused) == (413, "/problems/too-many-rows")

    def test_a_file_needs_a_key(self, client: FlaskClient, staff: dict[str, str]) -> None:
        headers = staff | {"Content-Type": "text/csv"}

        refused = client.post("/product-imports", data=rows(1), headers=headers)

        assert problem(refused) == (400, "/problems/idempotency-key-missing")

    def test_old_imports_are_forgotten_with_their_errors(
        self, client: FlaskClient, db: Database, cache: ProductCache, staff: dict[str, str]
    ) -> None:
        old = send(client, staff, HEADER + line(1, 0), "key-1")
        new = send(client, staff, HEADER + line(2, 0), "key-2")
        write_all(db, cache)
        with db.transaction() as tx:
            tx.execute(
                text("UPDATE product_imports SET finished_at = now() - :ago WHERE id = :id"),
                {"id": old.get_json()["id"], "ago": timedelta(days=31)},
            )

        forgotten = [worker.forget_imports(db) for _ in range(2)]

        assert forgotten == [1, 0]
        assert client.get(old.location, headers=staff).status_code == 404
        assert len(errors(client, staff, new)) == 1


class TestWho:
    @pytest.mark.parametrize("role", [Role.GUEST, Role.CUSTOMER, Role.SERVICE])
    def test_only_staff_may(self, client: FlaskClient, role: Role) -> None:
        someone = bearer(role, "ana")
        body = {"products": [MUG | {"sku": "MUG-1"}]}

        written = client.post("/product-imports", json=body, headers=someone)
        read_ = client.get("/product-imports", headers=someone)

        assert problem(written) == problem(read_) == (403, "/problems/not-allowed")

    def test_nobody_may_not(self, client: FlaskClient) -> None:
        assert problem(client.get("/product-imports")) == (401, "/problems/invalid-token")

    @pytest.mark.parametrize("import_id", ["0190b1c5-0000-7000-8000-000000000001", "x", "%00"])
    def test_what_is_no_import_is_not_found(
        self, client: FlaskClient, staff: dict[str, str], import_id: str
    ) -> None:
        for url in (f"/product-imports/{import_id}", f"/product-imports/{import_id}/errors"):
            refused = client.get(url, headers=staff)
            assert problem(refused) == (404, "/problems/import-not-found")


@pytest.mark.parametrize("form", ["text/csv", "application/x-ndjson"])
@pytest.mark.parametrize("card", ["4242424242424242", "4242 4242 4242 4242"])
def test_a_row_with_a_card_number_is_kept_without_it(
    client: FlaskClient, db: Database, staff: dict[str, str], form: str, card: str
) -> None:
    ndjson = f'{{"sku":"{card}","name":"{card}"}}'
    body = f"{HEADER}{line(1)}{card},{card},KITCHEN,CUPS,950\n" if form == "text/csv" else ndjson

    accepted = send(client, staff, body, type=form)

    assert accepted.status_code == 202
    with db.transaction() as tx:
        tables = ["product_imports", "product_import_chunks"]
        kept = "".join(str(tx.execute(text(f"SELECT t::text FROM {t} t")).all()) for t in tables)
    assert "nothing of it was kept" in kept
    assert card not in kept


def test_a_card_number_among_the_columns_is_not_told_again(
    client: FlaskClient, staff: dict[str, str]
) -> None:
    answer = send(client, staff, "4242424242424242," + HEADER)

    assert problem(answer) == (422, "/problems/card-number-refused")
    assert "4242424242424242" not in answer.text
