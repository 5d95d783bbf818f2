"""The book for people: one page with payments, operations and webhooks. No script, no key.

Refreshes itself while it shows the newest entries, unless it is asked not to.
"""

from collections.abc import Mapping
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request, url_for

from simulators.payment_provider.http import lists, requests
from simulators.payment_provider.rules.payments import CURRENCY_DECIMALS
from simulators.payment_provider.storage import observation

pages = Blueprint("pages", __name__)

# Often enough to watch a checkout go by, seldom enough to read a line in peace.
REFRESH_S = 5

LISTS = ("payments", "operations", "webhooks")

HEADERS = {
    # Nothing but our own style sheet: a page of plain tables needs no script.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    # The book links to the bank's pages, which no third party shall learn of.
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@pages.get("/")
def page() -> Response:
    older_than = {name: requests.number(name, lists.NEWEST) for name in LISTS}
    reference = request.args.get("reference", "").strip() or None
    with requests.provider().book.reading() as tx:
        content = {
            "sums": observation.totals(tx),
            "payments": lists.payments(tx, older_than["payments"], reference),
            "operations": lists.operations(tx, older_than["operations"], reference),
            "webhooks": lists.webhooks(tx, older_than["webhooks"], reference),
        }
    is_newest = not any(name in request.args for name in LISTS)
    is_paused = request.args.get("refresh") == "off"
    html = render_template(
        "book.html",
        **content,
        reference=reference,
        can_refresh=is_newest,
        refresh_s=REFRESH_S if is_newest and not is_paused else None,
        webhook_url=requests.provider().settings.webhook_url,
        # The shop may have asked for another, which was refused.
        currencies=CURRENCY_DECIMALS,
        here=_here,
    )
    return Response(html, headers=HEADERS)


def _here(changes: Mapping[str, object], anchor: str = "") -> str:
    """The address of this page with its query changed; None takes a parameter away."""
    kept = {**request.args.to_dict(), **changes}
    query = urlencode({name: value for name, value in kept.items() if value is not None})
    return url_for("pages.page") + (f"?{query}" if query else "") + (f"#{anchor}" if anchor else "")


@pages.app_template_filter("clock")
def clock(moment: str) -> str:
    """`2026-01-31T12:00:00.123Z` -> `2026-01-31 12:00:00.123`."""
    return moment.replace("T", " ").removesuffix("Z")


@pages.app_template_filter("amount")
def amount(amount_minor: int, currency: str) -> str:
    return lists.amount(amount_minor, currency)
