"""Every test card in every dress is seen, and no id of anybody's making ever is."""

import base64
import json
import random
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from card_numbers import TEST_CARDS, find, holds_card_number, passes_luhn
from card_numbers.ids import KINDS

# Enough for a slip of one in some thousand; `python -m card_numbers` tries a million of each.
IDS_OF_A_KIND = 20_000
SEED = 20261129


def _in_groups(separator: str) -> Callable[[str], str]:
    def dress(digits: str) -> str:
        sizes = {15: (4, 6, 5), 14: (4, 6, 4)}.get(len(digits), (4, 4, 4, 4, 3))
        parts, rest = [], digits
        for size in sizes:
            parts, rest = [*parts, rest[:size]], rest[size:]
        return separator.join(part for part in parts if part)

    return dress


def _full_width(digits: str) -> str:
    return "".join(chr(0xFF10 + int(digit)) for digit in digits)


def _arabic(digits: str) -> str:
    return "".join(chr(0x0660 + int(digit)) for digit in digits)


DRESSES: dict[str, Callable[[str], str]] = {
    "plain": str,
    "in spaced groups": _in_groups(" "),
    "in dashed groups": _in_groups("-"),
    "with no-break spaces": _in_groups("\u00a0"),
    "digit by digit": " ".join,
    "full width": _full_width,
    "Arabic digits": _arabic,
    "with a word before": lambda digits: f"tok_{digits}",
    "within letters": lambda digits: f"x{digits}y",
    "after a number": lambda digits: f"12 {digits} 03/27 123",
    "JSON": lambda digits: json.dumps({"payment": {"pan": digits}, "at": 1764400000}),
    "JSON, spaced, escaped": lambda digits: json.dumps({"pan": _full_width(digits)}),
    "a query": lambda digits: f"https://shop.test/orders?card={digits}&page=2",
    "a path": lambda digits: f"https://shop.test/cart/lines/{digits}",
    "percent-encoded": lambda digits: quote(_in_groups(" ")(digits)),
    "percent-encoded digits": lambda digits: "".join(f"%3{digit}" for digit in digits),
    "a form": lambda digits: f"pan={quote_plus(_in_groups(' ')(digits))}&cvc=123",
    "base64 of a body": lambda digits: base64.b64encode(
        json.dumps({"pan": digits}).encode()
    ).decode(),
    "base64 in a URL": lambda digits: (
        "https://shop.test/in/" + base64.urlsafe_b64encode(f"?pan={digits}".encode()).decode()
    ),
}


@pytest.mark.parametrize("dress", DRESSES.values(), ids=DRESSES)
def test_every_test_card_is_seen_in_every_dress(dress: Callable[[str], str]) -> None:
    missed = [digits for digits in sorted(TEST_CARDS) if find(dress(digits)) != [digits]]

    assert missed == []


# Of no test set: an issuer's range, its length and Luhn are all that tells them.
OTHERS = [
    "4539148803436467", "5412751234123452", "2221001234123450", "340000000000009", "36700102000000",
    "6011000400000000", "3569990010095841", "6240008631401148", "2201382000000013",
]  # fmt: skip


@pytest.mark.parametrize("digits", OTHERS)
@pytest.mark.parametrize("name", ["plain", "in spaced groups", "JSON", "a query", "a form"])
def test_any_card_is_seen_where_it_stands_alone(digits: str, name: str) -> None:
    assert passes_luhn(digits)
    assert find(DRESSES[name](digits)) == [digits]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4242424242424241",
        "424242424242",
        "42424242424242424242",
        "1082185",
        '{"sku":"1082185","quantity":2}',
        "1" * 30,
        "1790000000000000005",
        "1764400000123456",
        "2026-01-01T12:00:00.123456+00:00",
        "0.4539148803436467",
        "4242,4242,4242,4242",
        "4006381333931",
        "9111111111111114",
        "01a2079f-4242-7424-8242-424242424242",
        "42424242-4242-4242-8000-000000000000",
        "00-4bf92f3577b34dac4242424242424242-4539148803436467-01",
        "pay_4539148803436467abcdef01",
        "20261129-4539148803436467",
        'span {"span_id": "4539148803436467", "trace_flags": "01"}',
        "order 4242 of 4242",
    ],
)
def test_other_digits_are_no_card_number(text: str) -> None:
    assert not holds_card_number(text)


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_no_id_is_ever_taken_for_a_card(kind: Callable[[random.Random], str]) -> None:
    chance = random.Random(SEED)  # noqa: S311  Replayable, and nothing secret.

    hits = [made for _ in range(IDS_OF_A_KIND) if find(made := kind(chance))]

    assert hits == []
