"""Card numbers in text: which digits are one. Finds only; it neither refuses nor repairs.

One meaning for services, which refuse them before they are kept, and for the harness, which looks
for them in whatever was written (PCI DSS 4.0 §3.5: a PAN is readable nowhere). ADR-0023.
"""

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_plus


@dataclass(frozen=True, slots=True)
class Scheme:
    """issuers: first and last prefix of a range, both of the same length."""

    name: str
    issuers: tuple[tuple[str, str], ...]
    lengths: range

    def issues(self, digits: str) -> bool:
        return len(digits) in self.lengths and any(
            first <= digits[: len(first)] <= last for first, last in self.issuers
        )


# ISO/IEC 7812-1; ranges and lengths as the schemes publish them. Left out on purpose: Visa's 13
# digits, which nobody issues any more and which every EAN-13 on a product has, and prefix 1 (UATP),
# with which the time in micro- and nanoseconds begins until 2033.
SCHEMES = (
    Scheme("visa", (("4", "4"),), range(16, 20)),
    Scheme("mastercard", (("51", "55"), ("2221", "2720")), range(16, 17)),
    Scheme("amex", (("34", "34"), ("37", "37")), range(15, 16)),
    Scheme("diners", (("300", "305"), ("3095", "3095"), ("36", "36"), ("38", "39")), range(14, 20)),
    Scheme("discover", (("6011", "6011"), ("644", "649"), ("65", "65")), range(16, 20)),
    Scheme("jcb", (("3528", "3589"),), range(16, 20)),
    Scheme("unionpay", (("62", "62"), ("81", "81")), range(16, 20)),
    Scheme("maestro", (("50", "50"), ("56", "58"), ("6304", "6304"), ("67", "67")), range(16, 20)),
    Scheme("mir", (("2200", "2204"),), range(16, 20)),
    Scheme("rupay", (("60", "60"), ("82", "82")), range(16, 17)),
)

# What everybody tries a shop with (Stripe, Adyen, Braintree and our provider publish them): no
# chance makes one of these, so they are seen wherever they stand.
TEST_CARDS = frozenset(
    [
        "4242424242424242",
        "4111111111111111",
        "4012888888881881",
        "4000056655665556",
        "4222222222222",
        "5555555555554444",
        "5105105105105100",
        "5200828282828210",
        "2223003122003222",
        "2223000048400011",
        "378282246310005",
        "371449635398431",
        "378734493671000",
        "30569309025904",
        "38520000023237",
        "3056930009020004",
        "6011111111111117",
        "6011000990139424",
        "6011981111111113",
        "3530111333300000",
        "3566002020360505",
        "6200000000000005",
        "6205500000000000004",
        "6759649826438453",
        "4000000000000002",
        "4000000000009995",
        "4000000000000069",
        "4000000000000127",
        "4000000000000119",
        "4000000000009987",
        "4000000000009979",
        "4000000000006975",
        "4100000000000019",
        "4000002760003184",
        "4000008400001629",
        "4000000000006009",
        "4000000000006017",
        "4000000000006025",
        "4000000000003220",
        "4000000000003063",
        "4000000000000341",
        "4000000000000259",
    ]
)

# The shortest test card has as many; no text with fewer digits is looked at any closer.
_ENOUGH_DIGITS = re.compile(r"\d(?:[ -]?\d){12}")
_TEST_CARD = re.compile(
    rf"(?<!\d)(?:{'|'.join('[ -]?'.join(digits) for digits in sorted(TEST_CARDS))})(?!\d)"
)
# Else only as a whole token: digits within letters, or joined to others by a dash or a point, are
# an id of somebody's making (a traceparent, 20261129-…) or a fraction.
_WHOLE = r"(?<![0-9A-Za-z])(?<![0-9A-Za-z][-.]){}(?!-?[0-9A-Za-z])"
_IN_A_ROW = re.compile(_WHOLE.format(r"\d{14,19}"))
# As printed on cards.
_GROUPED = re.compile(
    _WHOLE.format(r"\d{4}([ -])(?:\d{4}\1\d{4}\1\d{4}(?:\1\d{3})?|\d{6}\1\d{4,5})")
)
_IDENTIFIER = re.compile(
    # A UUID: its dashes stand where nobody puts them into a card number.
    r"(?<![0-9a-f])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f])"
    # Longer than any card, of hexadecimal digits: random.
    r"|(?<![0-9a-z])(?=[0-9]*[a-f])[0-9a-f]{20,}(?![0-9a-z])"
    # A span's id, where it is called one: one in 2,000 is all digits.
    r"|(?<=span)_?id\W{1,4}[0-9a-f]{16}(?![0-9a-f])",
    re.IGNORECASE,
)
_FOREIGN_DIGIT = re.compile(r"(?![0-9])\d")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
# Either alphabet (RFC 4648 §4, §5), apart: a URL's slashes are no base64. A test card takes 18.
_BASE64 = (re.compile(r"[A-Za-z0-9+/]{18,}"), re.compile(r"[A-Za-z0-9_-]{18,}"))


def find(text: str) -> list[str]:
    """The card numbers in *text*, as ASCII digits, each once; also those that URLs, JSON and
    base64 hide. A span's id that is all digits is told from a card only where it is called one.
    """
    return list(dict.fromkeys(digits for reading in _readings(text) for digits in _seen(reading)))


def holds_card_number(text: str) -> bool:
    return bool(find(text))


def passes_luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B: double every second digit from the right, the sum ends in 0."""
    values = [int(digit) for digit in reversed(digits)]
    return (sum(values[::2]) + sum(2 * v - 9 * (v > 4) for v in values[1::2])) % 10 == 0


def _seen(text: str) -> Iterator[str]:
    if not _ENOUGH_DIGITS.search(text):
        return
    text = _IDENTIFIER.sub("x", text)  # A letter: what is joined to an id stays joined.
    for match in _TEST_CARD.finditer(text):
        yield _digits(match)
    for pattern in (_IN_A_ROW, _GROUPED):
        for match in pattern.finditer(text):
            digits = _digits(match)
            if any(scheme.issues(digits) for scheme in SCHEMES) and passes_luhn(digits):
                yield digits


def _digits(match: re.Match[str]) -> str:
    return match.group().replace(" ", "").replace("-", "")


def _readings(text: str) -> Iterator[str]:
    """*text* as it stands, and as whoever decodes it reads it."""
    plain = _with_ascii_digits(text)
    yield plain
    if "%" in plain or "+" in plain:
        yield _with_ascii_digits(unquote_plus(plain))
    if "\\u" in plain:
        yield _with_ascii_digits(_ESCAPE.sub(lambda code: chr(int(code[1], 16)), plain))
    for alphabet in _BASE64:
        for match in alphabet.finditer(plain):
            yield _with_ascii_digits(_decoded(match.group()))


def _with_ascii_digits(text: str) -> str:
    """Full-width digits and those of other scripts, and no-break spaces, in ASCII."""
    if text.isascii():
        return text
    return _FOREIGN_DIGIT.sub(
        lambda digit: str(unicodedata.decimal(digit[0])), unicodedata.normalize("NFKC", text)
    )


def _decoded(written: str) -> str:
    """What *written* says if it is the base64 of a text; empty if it is not."""
    bare = written.translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
