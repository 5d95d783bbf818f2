"""What the world around the shop wrote down by itself: the payment provider and the mailbox."""

from collections.abc import Iterator, Mapping

import httpx

from harness.audit.books import Row, grouped

# The simulators' books come in pages of this size.
PAGE_SIZE = 1000
READ_TIMEOUT_S = 10.0


def read_provider_payments(url: str, headers: Mapping[str, str]) -> dict[str, list[Row]]:
    """Every payment in the provider's own book, by reference (our order id)."""
    return grouped(list(_pages(f"{url}/book/payments", "payments", headers)), "reference")


def read_provider_calls(url: str, headers: Mapping[str, str]) -> dict[str, list[Row]]:
    """Every call that the provider was asked by, as it wrote them down, by our order's id."""
    calls = (call for call in _pages(f"{url}/book/calls", "calls", headers) if "reference" in call)
    return grouped(list(calls), "reference")


def read_mails(url: str) -> dict[str, list[Row]]:
    """Every mail that arrived, by the order it is about."""
    mails = [mail for mail in _pages(f"{url}/messages", "messages", {}) if mail["order_id"]]
    return grouped(mails, "order_id")


def _pages(url: str, member: str, headers: Mapping[str, str]) -> Iterator[Row]:
    after = None
    with httpx.Client(timeout=READ_TIMEOUT_S, headers=dict(headers)) as http:
        while True:
            params = {"limit": PAGE_SIZE} | ({"after": after} if after is not None else {})
            page = http.get(url, params=params).raise_for_status().json()
            yield from page[member]
            after = page["next"]
            if after is None:
                return
