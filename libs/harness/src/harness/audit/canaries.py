"""Finds planted secrets in whatever a shop has written. Pure: it is given the text.

A canary is a secret that occurs nowhere else, so that wherever it is seen, a secret of its kind has
leaked. It is looked for as it is, and as programs write things down: escaped, percent-encoded, in
base64, in hex, and with the blanks and dashes that people put between digits.
"""

import base64
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

# Shorter ones occur by chance, the more so in base64.
CHARACTERS_MIN = 12

Seen = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Passage:
    """Some text and where it stands. kind: log, span, metric, mail, …; where: which of them."""

    kind: str
    where: str
    text: str


@dataclass(frozen=True, slots=True)
class Canary:
    """belongs_in: the kinds of passages that hold such a thing for good reason, as mails hold
    their recipient. Raises ValueError for one that could occur by chance.
    """

    name: str
    secret: str = field(repr=False)
    belongs_in: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if len(self.secret) < CHARACTERS_MIN:
            raise ValueError(f"{self.name} is shorter than {CHARACTERS_MIN} characters")


@dataclass(frozen=True, slots=True)
class Leak:
    """Where a canary was seen. Holds none of it, so that it may be shown."""

    canary: str
    form: str
    kind: str
    where: str

    def __str__(self) -> str:
        return f"{self.canary} ({self.form}) in {self.kind} {self.where}"


@dataclass(frozen=True, slots=True)
class Search:
    """passages, characters: how much was looked through, by kind."""

    leaks: Sequence[Leak]
    passages: Counter[str]
    characters: Counter[str]


def search(canaries: Iterable[Canary], passages: Iterable[Passage]) -> Search:
    """Every leak, once for each canary, form and passage."""
    forms = [(canary, list(forms_of(canary.secret))) for canary in canaries]
    leaks: list[Leak] = []
    counts: Counter[str] = Counter()
    characters: Counter[str] = Counter()
    for passage in passages:
        counts[passage.kind] += 1
        characters[passage.kind] += len(passage.text)
        text = passage.text.casefold()
        for canary, written in forms:
            if passage.kind not in canary.belongs_in:
                form = next((name for name, seen in written if seen(text)), None)
                if form:
                    leaks.append(Leak(canary.name, form, passage.kind, passage.where))
    return Search(leaks, counts, characters)


def forms_of(secret: str) -> Iterator[tuple[str, Seen]]:
    """How *secret* may be written, each with what tells it in a text of lower case."""
    plain = secret.encode()
    yield "plain", _literal(secret)
    yield "escaped", _literal(json.dumps(secret)[1:-1])
    for encoded in {quote(secret), quote(secret, safe=""), quote_plus(secret)} - {secret}:
        yield "percent-encoded", _literal(encoded)
    yield "hex", _literal(plain.hex())
    for encoded in _base64(plain):
        yield "base64", _literal(encoded)
        yield "base64", _literal(encoded.replace("+", "-").replace("/", "_"))
    if secret.isascii() and secret.isdigit():
        pattern = re.compile("[ -]?".join(secret))
        yield "grouped", lambda text: pattern.search(text) is not None


def _literal(needle: str) -> Seen:
    folded = needle.casefold()
    return lambda text: folded in text


def _base64(plain: bytes) -> Iterator[str]:
    """The characters that depend on *plain* alone, at each of the three places in a group."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + plain).decode().rstrip("=")
        whole_groups = (before + len(plain)) * 8 // 6
        yield encoded[(before * 8 + 5) // 6 : whole_groups]
