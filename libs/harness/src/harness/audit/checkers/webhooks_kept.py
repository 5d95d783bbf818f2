"""Every webhook that payment took is in its book and dealt with, and none that nobody sent.

It cannot see one that was never delivered, nor what becomes of one that comes during the audit:
what they tell is judged by `money_matches`.
"""

from collections.abc import Iterator

from harness.audit.books import Books
from harness.audit.checkers.violation import Violation

DONE = "done"
# Less than the 15 days that the shop keeps them.
KEPT_FOR_S = 14 * 24 * 3600.0


def check(books: Books) -> Iterator[Violation]:
    since = books.kept_since(KEPT_FOR_S)
    sent = {webhook["id"]: webhook for webhook in books.provider_webhooks}
    for id_, webhook in sent.items():
        order_id, kept = webhook["reference"], books.webhooks.get(id_)
        order = books.orders.get(order_id)
        is_known = kept or (order and order["placed_at"] > since)
        if webhook["taken"] and is_known and (kept or {}).get("state") != DONE:
            yield Violation(
                f"a webhook {webhook['type']} was taken, and nothing came of it",
                order_id,
                books.trace_id_of(order_id),
                expected=f"{DONE}, as it was acknowledged",
                found=f"{kept['state']}: {kept['last_error']}"
                if kept
                else "no such webhook in the book",
                about=f"webhook {id_}",
            )
    for id_ in books.webhooks.keys() - sent.keys():
        forged = books.webhooks[id_]
        yield Violation(
            f"payment believed a webhook {forged['type']} that the provider never sent",
            expected="refused",
            found=forged["state"],
            about=f"webhook {id_}",
        )
