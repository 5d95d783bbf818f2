"""What is searched for, in which order, and what was probably meant: values and rules."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from catalog.domain.products import Availability, Product

# Where one price band ends and the next begins, in minor units: what people say of groceries.
PRICE_BANDS: Final = (200, 500, 1_000, 2_000, 5_000)
# A shorter word has too many neighbours to guess one of them.
CORRECTABLE_CHARS_MIN: Final = 3
# PostgreSQL's levenshtein() takes 255 bytes, and nobody types longer words.
CORRECTABLE_CHARS_MAX: Final = 32
# Mistakes that are forgiven, by the least length of the word: one in four letters or so.
MISTAKES: Final = ((9, 3), (6, 2), (4, 1))

_WORD = re.compile(r"[^\W_]+")


class Sort(StrEnum):
    RELEVANCE = "relevance"
    PRICE_ASC = "price_asc"
    PRICE_DESC = "price_desc"
    NAME = "name"
    NEWEST = "newest"
    SKU = "sku"


@dataclass(frozen=True, slots=True)
class Filters:
    """None: not asked for. Prices are inclusive, in minor units."""

    department: str | None = None
    category: str | None = None
    product_type: str | None = None
    brand: str | None = None
    product_group_id: str | None = None
    availability: Availability | None = None
    price_from_minor: int | None = None
    price_to_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: just after the product with this sort key and SKU."""

    key: str | int
    sku: str


@dataclass(frozen=True, slots=True)
class Search:
    """text: in the language of web search engines ("a phrase", or, -not); empty: everything."""

    text: str
    filters: Filters
    sort: Sort
    after: Place | None
    limit: int


@dataclass(frozen=True, slots=True)
class Page:
    """corrected: the text that was searched for instead, if nothing was found for the one asked.

    next: where the next page begins, if there is one.
    """

    products: Sequence[Product]
    next: Place | None
    corrected: str | None = None


@dataclass(frozen=True, slots=True)
class Bucket:
    """value: a name, or the index of a price band."""

    value: str | int
    products: int


@dataclass(frozen=True, slots=True)
class Facets:
    """How many products there would be, by what a shopper may choose next.

    Each facet counts within the query and all filters but its own.
    """

    total: int
    departments: Sequence[Bucket]
    categories: Sequence[Bucket]
    price_bands: Sequence[Bucket]
    availabilities: Sequence[Bucket]


@dataclass(frozen=True, slots=True)
class Known:
    """A word of our products, and how many of them have it."""

    word: str
    products: int


def band_bounds(index: int) -> tuple[int, int | None]:
    """The least and the greatest price of a band; the last band has no greatest."""
    edges = (0, *PRICE_BANDS)
    return edges[index], edges[index + 1] - 1 if index < len(PRICE_BANDS) else None


def words_to_check(text: str) -> list[str]:
    """The words of *text* that may be misspelt, each once."""
    return list(dict.fromkeys(found.group().lower() for found in _checkable(text)))


def correct(text: str, candidates: Mapping[str, Sequence[Known]]) -> str | None:
    """*text* with each unknown word replaced by the closest of its candidates; None if none was.

    candidates: by the words of `words_to_check`; a word that is among its own is known.
    """
    closest = {word: closest_to(word, known) for word, known in candidates.items()}
    swapped = _WORD.sub(_replacement(closest, text), text)
    return swapped if swapped != text else None


def closest_to(word: str, candidates: Sequence[Known]) -> str | None:
    """The candidate with the fewest mistakes; of equals the one with more products.

    The beginning of a word counts as one mistake: somebody is still typing.
    """
    if any(known.word == word for known in candidates):
        return None
    allowed = next((most for least, most in MISTAKES if len(word) >= least), 0)
    ranked = [
        (mistakes, known.word[:1] != word[:1], -known.products, known.word)
        for known in candidates
        if (mistakes := _mistakes(word, known.word)) <= max(allowed, 1)
        and (mistakes <= allowed or known.word.startswith(word))
    ]
    return min(ranked)[-1] if ranked else None


def distance(one: str, other: str) -> int:
    """Letters inserted, left out, replaced, or swapped with their neighbour.

    Damerau-Levenshtein, restricted to one edit a place ("optimal string alignment").
    """
    before_last: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, start=1):
        current = [row]
        for column, other_letter in enumerate(other, start=1):
            cost = min(
                last[column] + 1,
                current[column - 1] + 1,
                last[column - 1] + (letter != other_letter),
            )
            swapped = (
                row > 1
                and column > 1
                and letter == other[column - 2]
                and one[row - 2] == other_letter
            )
            current.append(min(cost, before_last[column - 2] + 1) if swapped else cost)
        before_last, last = last, current
    return last[-1]


def _mistakes(word: str, known: str) -> int:
    return 1 if known.startswith(word) else distance(word, known)


def _checkable(text: str) -> list[re.Match[str]]:
    return [found for found in _WORD.finditer(text) if _is_checkable(found, text)]


def _is_checkable(found: re.Match[str], text: str) -> bool:
    """Not the operator `or`, not what is to be left out, not a number."""
    word = found.group()
    return (
        CORRECTABLE_CHARS_MIN <= len(word) <= CORRECTABLE_CHARS_MAX
        and not word.isdigit()
        and text[: found.start()][-1:] != "-"
    )


def _replacement(closest: Mapping[str, str | None], text: str) -> Callable[[re.Match[str]], str]:
    def replaced(found: re.Match[str]) -> str:
        word = found.group()
        better = closest.get(word.lower()) if _is_checkable(found, text) else None
        return better or word

    return replaced
