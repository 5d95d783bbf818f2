"""What the world around the shop wrote down by itself: payment provider, mailbox, emulator."""

import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import orjson

from harness.audit.books import Publishes, Row, grouped
from harness.process.home import whole_lines
from harness.self_test.messages import ATTRIBUTE

# The simulators' books come in pages of this size.
PAGE_SIZE = 1000
SUM = re.compile(r"(?<![\d.,])(\d[\d.,]*)[.,](\d\d)\s([A-Z]{3})\b")
READ_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class ProviderBook:
    """What the payment provider wrote down; by reference, which is our order's id.

    calls: what it was asked for. facts: what became true there, in that order.
    webhooks: all that it had to tell, each with whether the shop had taken it.
    """

    payments: Mapping[str, Sequence[Row]]
    calls: Mapping[str, Sequence[Row]]
    facts: Mapping[str, Sequence[Row]]
    webhooks: Sequence[Row]


def taken_webhooks(url: str, headers: Mapping[str, str]) -> frozenset[str]:
    """The ids of those that the shop has taken by now."""
    return frozenset(
        webhook["id"]
        for webhook in _pages(f"{url}/book/webhooks", "webhooks", headers)
        if any(_is_yes(try_) for one in webhook["deliveries"] for try_ in one["attempts"])
    )


def _is_yes(attempt: Row) -> bool:
    return attempt["status"] is not None and 200 <= attempt["status"] < 300


def read_provider(
    url: str, headers: Mapping[str, str], taken: Collection[str] = ()
) -> ProviderBook:
    """All of the provider's book, once. taken: ids of webhooks that count as taken."""
    calls = (call for call in _pages(f"{url}/book/calls", "calls", headers) if "reference" in call)
    return ProviderBook(
        payments=grouped(list(_pages(f"{url}/book/payments", "payments", headers)), "reference"),
        calls=grouped(list(calls), "reference"),
        facts=grouped(list(_pages(f"{url}/book/facts", "facts", headers)), "reference"),
        webhooks=[
            # As much of it as is judged: the body of each is a kilobyte.
            {name: one[name] for name in ("id", "type", "reference")}
            | {"taken": one["id"] in taken}
            for one in _pages(f"{url}/book/webhooks", "webhooks", headers)
        ],
    )


def read_mails(url: str) -> dict[str, list[Row]]:
    """Every mail that arrived, by the order it is about.

    sums: what its text names, in minor units and currency, in the order it names them.
    """
    mails = [
        {name: mail[name] for name in ("id", "order_id", "kind", "to")}
        | {"sums": sums_in(mail["text"] or "")}
        for mail in _pages(f"{url}/messages?text=1", "messages", {})
        if mail["order_id"]
    ]
    return grouped(mails, "order_id")


def sums_in(text: str) -> list[tuple[int, str]]:
    """``1,234.50 USD`` and ``1234,50 USD``, as the shop writes them in its languages."""
    return [
        (int(re.sub(r"[.,]", "", units + cents)), currency)
        for units, cents, currency in SUM.findall(text)
    ]


def read_publishes(path: Path) -> Publishes | None:
    """What the emulator noted in *path*, but for self-tests; None if it did not, or is damaged.

    Read before the tables: what was published was written down before that.
    """
    until = time.time()
    try:
        first, *lines = map(orjson.loads, whole_lines(path))
        rows = [line.pop("attributes") | line for line in lines]
        since = first["since"]
    except (ValueError, KeyError):
        return None
    return Publishes(since, until, [row for row in rows if ATTRIBUTE not in row])


def _pages(url: str, member: str, headers: Mapping[str, str]) -> Iterator[Row]:
    after = None
    with httpx.Client(timeout=READ_TIMEOUT_S, headers=dict(headers)) as http:
        while True:
            params = {"limit": PAGE_SIZE} | ({"after": after} if after is not None else {})
            page = http.get(httpx.URL(url).copy_merge_params(params)).raise_for_status().json()
            yield from page[member]
            after = page["next"]
            if after is None:
                return
