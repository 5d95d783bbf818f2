"""Finding products: pages, facets, and a second try with the words that were probably meant."""

from dataclasses import replace

from sqlalchemy import Connection

from catalog.domain import search as domain
from catalog.domain.search import Facets, Filters, Page, Search
from catalog.store import search as store


def search_products(tx: Connection, search: Search) -> Page:
    """One page. If nothing at all was found, what the corrected words find."""
    page = _page(tx, search)
    if page.products or search.after or not search.text:
        return page
    corrected = _correct(tx, search.text)
    if corrected is None:
        return page
    second = _page(tx, replace(search, text=corrected), corrected)
    return second if second.products else page


def count_words(tx: Connection) -> None:
    """How common each word of our products is, for the corrections."""
    store.count_words(tx)


def count_facets(tx: Connection, text: str, filters: Filters) -> Facets:
    return store.facets(tx, text, filters)


def _page(tx: Connection, search: Search, corrected: str | None = None) -> Page:
    found = store.find(tx, replace(search, limit=search.limit + 1))
    page = found[: search.limit]
    is_last = len(found) <= search.limit
    return Page([product for product, _ in page], None if is_last else page[-1][1], corrected)


def _correct(tx: Connection, text: str) -> str | None:
    words = domain.words_to_check(text)
    return domain.correct(text, store.known_words(tx, words)) if words else None
