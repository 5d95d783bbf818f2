"""Ids as the shop, its provider, AWS and OpenTelemetry make them, by chance from a seed: what is
no card. For tests, and for `python -m card_numbers`, which counts false alarms.
"""

import base64
import string
import uuid
from collections.abc import Callable, Mapping
from random import Random

_LETTERS_AND_DIGITS = string.ascii_letters + string.digits


def _hex(chance: Random, characters: int) -> str:
    return f"{chance.getrandbits(4 * characters):0{characters}x}"


def _uuid(chance: Random, version: int) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=version))


def _uuid7(chance: Random) -> str:
    """RFC 9562 §5.7, of some moment between 2020 and 2033."""
    milliseconds = chance.randrange(1_577_836_800_000, 2_000_000_000_000)
    made = (milliseconds << 80) | chance.getrandbits(80)
    return str(uuid.UUID(int=made & ~(0xF << 76) & ~(0x3 << 62) | (0x7 << 76) | (0x2 << 62)))


def _base64(chance: Random, octets: int) -> str:
    return base64.b64encode(chance.randbytes(octets)).decode()


def _url_safe(chance: Random, octets: int) -> str:
    return base64.urlsafe_b64encode(chance.randbytes(octets)).decode().rstrip("=")


def _moment(chance: Random) -> str:
    return (
        f"20{chance.randrange(20, 33)}-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}"
        f"T{chance.randrange(24):02}:{chance.randrange(60):02}:{chance.randrange(60):02}"
        f".{chance.randrange(1_000_000):06}+00:00"
    )


KINDS: Mapping[str, Callable[[Random], str]] = {
    "order, event, message: UUIDv7": _uuid7,
    "guest, key, AWS request: UUIDv4": lambda chance: _uuid(chance, 4),
    "UUID without dashes": lambda chance: _hex(chance, 32),
    "provider's payment": lambda chance: f"pay_{_hex(chance, 24)}",
    "provider's refund": lambda chance: f"re_{_hex(chance, 24)}",
    "provider's token": lambda chance: f"pm_{_hex(chance, 24)}",
    "provider's webhook": lambda chance: f"evt_{_hex(chance, 24)}",
    "provider's challenge": lambda chance: f"/challenges/{_url_safe(chance, 24)}",
    "mailbox's mail": lambda chance: f"msg_{_hex(chance, 24)}",
    "mail of a challenge": lambda chance: f"{_uuid7(chance)}.{_hex(chance, 16)}",
    "key of a signing secret": lambda chance: f"2026{chance.randrange(1232):04}-{_hex(chance, 16)}",
    "SKU of a test": lambda chance: f"MUG-{_hex(chance, 8).upper()}",
    "SKU of 2017": lambda chance: str(chance.randrange(10_000, 20_000_000)),
    "EAN-13": lambda chance: str(chance.randrange(10**12, 10**13)),
    "digest": lambda chance: _hex(chance, 64),
    "git commit": lambda chance: _hex(chance, 40),
    "trace's id": lambda chance: _hex(chance, 32),
    "span's id in a log line": lambda chance: f'{{"span_id":"{_hex(chance, 16)}"}}',
    "span's id in OTLP JSON": lambda chance: f'"parentSpanId": "{_hex(chance, 16)}"',
    "traceparent": lambda chance: f"00-{_hex(chance, 32)}-{_hex(chance, 16)}-01",
    "X-Ray trace": lambda chance: f"Root=1-{_hex(chance, 8)}-{_hex(chance, 24)}",
    "SQS receipt handle": lambda chance: _base64(chance, 180),
    "SQS sequence number": lambda chance: str(chance.randrange(10**19, 10**20)),
    "ARN": lambda chance: (
        f"arn:aws:sns:us-east-1:{chance.randrange(10**12):012}:orders:{_uuid(chance, 4)}"
    ),
    "AWS access key": lambda chance: (
        "AKIA" + "".join(chance.choices(string.ascii_uppercase + "234567", k=16))
    ),
    "Cognito's pool": lambda chance: (
        f"us-east-1_{''.join(chance.choices(_LETTERS_AND_DIGITS, k=9))}"
    ),
    "JSON Web Token": lambda chance: ".".join(_url_safe(chance, size) for size in (40, 180, 32)),
    "secret": lambda chance: _url_safe(chance, 32),
    "cursor": lambda chance: (
        _base64(chance, 6)
        + base64.b64encode(f'["{_moment(chance)}","{_uuid7(chance)}"]'.encode()).decode()
    ),
    "moment": _moment,
    "time in nanoseconds": lambda chance: str(chance.randrange(10**18, 2 * 10**18)),
    "time in microseconds": lambda chance: str(chance.randrange(10**15, 2 * 10**15)),
    "fraction": lambda chance: repr(chance.random() * 10),
    "thread": lambda chance: str(chance.randrange(0x7F00_0000_0000, 0x8000_0000_0000)),
    "trace's URL": lambda chance: f"http://127.0.0.1:16686/trace/{_hex(chance, 32)}",
    "order's URL": lambda chance: f"http://127.0.0.1:8005/orders/{_uuid7(chance)}?limit=20",
}
