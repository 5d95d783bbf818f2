"""Search: PostgreSQL's full text, ranked; facets; and the words that were probably meant.

ADR-0010 says why, with the plans.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from common.paging import MalformedCursor
from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    SQLColumnExpression,
    and_,
    cast,
    func,
    literal,
    literal_column,
    select,
    text,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY, INTEGER

from catalog.domain.products import Product
from catalog.domain.search import (
    PRICE_BANDS,
    Bucket,
    Facets,
    Filters,
    Known,
    Place,
    Search,
    Sort,
)
from catalog.store.tables import PRODUCT_COLUMNS, product, products

# Ranks are compared as whole numbers: a cursor that has lost digits of a fraction skips rows.
RANK_UNITS: Final = 1_000_000
# How much a word counts in the department, category, type, name: PostgreSQL's own.
WEIGHTS: Final = "{0.1, 0.2, 0.4, 1.0}"
# Within the ten seconds that any transaction of ours may take.
COUNT_WITHIN_MS: Final = 9_000
# As many categories as a shopper would scroll through.
FACET_VALUES_MAX: Final = 50
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SEPARATORS: Final = r"[\s!-/:-@\[-`{-~]+"
# No condition at all.
_ANY: Final = true()
_FACETS: Final = ("department", "category", "price", "availability")

# Folded, one character may become 18 (U+FDFA), and levenshtein() takes 255 of them.
_CANDIDATES = text("""
SELECT asked.word AS asked, known.word, known.products
  FROM (SELECT word, left(fold(word), 32) AS folded FROM unnest(CAST(:words AS text[])) AS word)
    AS asked
 CROSS JOIN LATERAL (
   SELECT word, products FROM search_words
    WHERE search_words.word % asked.folded
       OR starts_with(search_words.word, asked.folded)
       OR levenshtein_less_equal(search_words.word, asked.folded, 2) <= 2
    ORDER BY search_words.word <> asked.folded,
             levenshtein(search_words.word, asked.folded), products DESC, word
    LIMIT 50
 ) AS known
""")
_NOTE_WORDS = text("""
INSERT INTO search_words (word, products)
SELECT word, count(DISTINCT sku) FROM products,
  regexp_split_to_table(
    fold(concat_ws(' ', name, product_type, category, brand, department)), :separators
  ) AS word
 WHERE sku = ANY(CAST(:skus AS text[]))
   AND char_length(word) BETWEEN 3 AND 32 AND word !~ '[0-9]'
 GROUP BY word ORDER BY word
ON CONFLICT DO NOTHING
""")
# Grouped first, so that a name that a thousand products share is taken apart once.
_COUNT_WORDS = text("""
WITH counted AS (
  SELECT word, sum(products) AS products
    FROM (SELECT fold(concat_ws(' ', name, product_type, category, brand, department)) AS line,
                 count(*) AS products
            FROM products WHERE discontinued_at IS NULL
           GROUP BY name, product_type, category, brand, department) AS lines,
    LATERAL (SELECT DISTINCT word
               FROM regexp_split_to_table(line, :separators) AS word) AS words
   WHERE char_length(word) BETWEEN 3 AND 32 AND word !~ '[0-9]'
   GROUP BY word
), gone AS (
  DELETE FROM search_words WHERE word NOT IN (SELECT word FROM counted)
)
INSERT INTO search_words (word, products) SELECT word, products FROM counted ORDER BY word
ON CONFLICT (word) DO UPDATE SET products = excluded.products
 WHERE search_words.products <> excluded.products
""")


def find(tx: Connection, search: Search) -> list[tuple[Product, Place]]:
    """At most ``search.limit`` products, each with its place; a short page is the last one."""
    key, descending = _order(search)
    where = [*_matching(search.text), *_narrowing(search.filters)]
    if search.after:
        place = tuple_(literal(_from_cursor(search.sort, search.after.key)), search.after.sku)
        here = tuple_(key, products.c.sku)
        where.append(here < place if descending else here > place)
    statement: Select[Any] = select(*PRODUCT_COLUMNS, key.label("key")).where(*where)
    order = (key.desc(), products.c.sku.desc()) if descending else (key.asc(), products.c.sku.asc())
    rows = tx.execute(statement.order_by(*order).limit(search.limit))
    return [(product(row), Place(_to_cursor(row.key), row.sku)) for row in rows]


def facets(tx: Connection, words: str, filters: Filters) -> Facets:
    """Counts of what matches *words* and *filters*; each facet without its own filter."""
    own = {
        "department": _equal("department", filters.department),
        "category": _equal("category", filters.category),
        "price": _priced(filters),
        "availability": _equal("availability", filters.availability),
    }
    always = _also(filters)
    band = func.width_bucket(products.c.price_minor, cast(list(PRICE_BANDS), ARRAY(INTEGER)))
    matches = (
        select(
            products.c.department.label("department"),
            products.c.category.label("category"),
            band.label("price"),
            products.c.availability.label("availability"),
            *(own[name].label(f"in_{name}") for name in _FACETS),
        )
        .where(*_matching(words), *always)
        .cte("matches")
        .prefix_with("MATERIALIZED")
    )
    columns = [matches.c[name] for name in _FACETS]
    counts = [
        func.count().filter(
            and_(true(), *(matches.c[f"in_{name}"] for name in _FACETS if name != facet))
        )
        for facet in (*_FACETS, None)
    ]
    statement = select(func.grouping(*columns), *columns, *counts).group_by(
        func.grouping_sets(*columns, text("()"))
    )
    return _facets(list(tx.execute(statement)))


def known_words(tx: Connection, words: Sequence[str]) -> dict[str, list[Known]]:
    """Words of our products that are like each of *words*; itself, if it is one."""
    found: dict[str, list[Known]] = {word: [] for word in words}
    for asked, word, count in tx.execute(_CANDIDATES, {"words": list(words)}):
        found[asked].append(Known(word, count))
    return found


def note_words(tx: Connection, skus: Sequence[str]) -> None:
    """So that the words of these products are known; how often they occur is counted later."""
    tx.execute(_NOTE_WORDS, {"skus": list(skus), "separators": _SEPARATORS})


def count_words(tx: Connection) -> None:
    """How many products have each word, and forget the words that none has.

    Takes a second for 92,000 products; nobody waits for it.
    """
    tx.execute(text(f"SET LOCAL statement_timeout = {COUNT_WITHIN_MS}"))
    tx.execute(_COUNT_WORDS, {"separators": _SEPARATORS})


def _order(search: Search) -> tuple[SQLColumnExpression[Any], bool]:
    """The sort key, and whether the greatest comes first."""
    match search.sort:
        case Sort.PRICE_ASC:
            return products.c.price_minor, False
        case Sort.PRICE_DESC:
            return products.c.price_minor, True
        case Sort.NAME:
            return products.c.name_key, False
        case Sort.NEWEST:
            return products.c.created_at, True
        case Sort.RELEVANCE if search.text:
            rank = func.ts_rank(WEIGHTS, products.c.search, _query(search.text))
            return cast(rank * RANK_UNITS, Integer), True
        case _:
            return products.c.sku, False


def _query(words: str) -> ColumnElement[Any]:
    english: ColumnElement[Any] = literal_column("'pg_catalog.english'::regconfig")
    return func.websearch_to_tsquery(english, func.fold(words))


def _matching(words: str) -> list[ColumnElement[bool]]:
    """Sold, and found by these words; the empty text finds everything."""
    sold = products.c.discontinued_at.is_(None)
    return [sold, products.c.search.op("@@")(_query(words))] if words else [sold]


def _narrowing(filters: Filters) -> list[ColumnElement[bool]]:
    return [
        condition
        for condition in (
            *_also(filters),
            _equal("department", filters.department),
            _equal("category", filters.category),
            _equal("availability", filters.availability),
            _priced(filters),
        )
        if condition is not _ANY
    ]


def _also(filters: Filters) -> list[ColumnElement[bool]]:
    """The filters that are no facet."""
    names = ("product_type", "brand", "product_group_id")
    return [
        products.c[name] == value for name in names if (value := getattr(filters, name)) is not None
    ]


def _equal(name: str, value: str | None) -> ColumnElement[bool]:
    return _ANY if value is None else products.c[name] == value


def _priced(filters: Filters) -> ColumnElement[bool]:
    bounds = []
    if filters.price_from_minor is not None:
        bounds.append(products.c.price_minor >= filters.price_from_minor)
    if filters.price_to_minor is not None:
        bounds.append(products.c.price_minor <= filters.price_to_minor)
    return and_(*bounds) if bounds else _ANY


def _to_cursor(key: str | int | datetime) -> str | int:
    """Times as whole microseconds, which is how exactly PostgreSQL keeps them."""
    return (key - _EPOCH) // timedelta(microseconds=1) if isinstance(key, datetime) else key


def _from_cursor(sort: Sort, key: str | int) -> str | int | datetime:
    """Raises MalformedCursor for a time that is none."""
    if sort is Sort.NEWEST and isinstance(key, int):
        try:
            return _EPOCH + timedelta(microseconds=key)
        except OverflowError:
            raise MalformedCursor("no time is so far away") from None
    return key


def _facets(rows: Sequence[Any]) -> Facets:
    """Each row is of one facet: `grouping` has a bit for each column that it is not grouped by."""
    found: dict[str, list[Bucket]] = {name: [] for name in _FACETS}
    total = 0
    for row in rows:
        grouping, values, counts = row[0], row[1:5], row[5:]
        index = {0b0111: 0, 0b1011: 1, 0b1101: 2, 0b1110: 3}.get(grouping)
        if index is None:
            total = counts[-1]
        elif counts[index]:
            found[_FACETS[index]].append(Bucket(values[index], counts[index]))
    return Facets(
        total,
        _most(found["department"]),
        _most(found["category"]),
        sorted(found["price"], key=lambda bucket: bucket.value),
        _most(found["availability"]),
    )


def _most(buckets: Sequence[Bucket]) -> list[Bucket]:
    return sorted(buckets, key=lambda bucket: (-bucket.products, bucket.value))[:FACET_VALUES_MAX]
