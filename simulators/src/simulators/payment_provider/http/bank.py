"""The page of the shopper's bank: 3-D Secure, as plain HTML that works without a script.

Whoever has the address with its key may decide, once. Says the same to all others.
"""

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from simulators.payment_provider.http import lists, requests
from simulators.payment_provider.http.pages import HEADERS
from simulators.payment_provider.rules import return_urls
from simulators.payment_provider.rules.answers import STATUS_BY_REFUSAL
from simulators.payment_provider.rules.payments import Payment, Status
from simulators.payment_provider.rules.refusals import (
    BankUnreachable,
    ChallengeClosed,
    ChallengeExpired,
    ChallengeNotFound,
    Malformed,
    Refusal,
    ReturnUrlNotAllowed,
)
from simulators.payment_provider.storage import book, challenges
from simulators.payment_provider.storage.challenges import Case, Decision

bank = Blueprint("bank", __name__)

# Heading and sentence for the shopper; the refusals' titles are for programmers.
WORDS: dict[type[Refusal], tuple[str, str]] = {
    ChallengeNotFound: (
        "This link is not valid",
        "Check that you opened the whole address, or go back to the shop and try again.",
    ),
    ChallengeExpired: (
        "This request has expired",
        "Nothing was charged. Go back to the shop and try again.",
    ),
    BankUnreachable: (
        "Your bank is not answering",
        "Nothing was charged. Try again later, or pay with another card.",
    ),
    ReturnUrlNotAllowed: (
        "This link is not valid",
        "It leads on to a place that the shop has not named. Go back to the shop and try again.",
    ),
    Malformed: (
        "That did not work",
        "The answer was neither yes nor no. Go back and choose one of the two buttons.",
    ),
}

OUTCOMES = {
    Status.AUTHORIZED: ("Payment approved", "You can close this page and go back to the shop."),
    Status.DECLINED: ("Payment declined", "Nothing was charged. Go back to the shop to try again."),
    Status.VOIDED: ("Payment cancelled", "The shop has cancelled it. Nothing was charged."),
}
# Captured and whatever comes after it: the shopper did approve.
APPROVED_LONG_AGO = OUTCOMES[Status.AUTHORIZED]


@bank.get("/3ds/<payment_id>")
def show(payment_id: str) -> AnyResponse:
    with requests.provider().book.reading() as tx:
        case = challenges.let_in(tx, payment_id, request.args.get("key", ""))
        return_url = _return_url(case)
        try:
            challenges.require_open(tx, case, requests.asked().at_ms)
        except ChallengeClosed:
            return _outcome(case.payment, return_url, STATUS_BY_REFUSAL[ChallengeClosed])
        card = book.card_of(tx, case.payment.charge.payment_method)
    charge = case.payment.charge
    html = render_template(
        "challenge.html",
        charge=charge,
        amount=lists.amount(charge.amount_minor, charge.currency),
        card=card,
        merchant=requests.provider().settings.merchant_name,
    )
    return _page(html, 200, return_url)


@bank.post("/3ds/<payment_id>")
def decide(payment_id: str) -> AnyResponse:
    asked = requests.asked()
    with requests.provider().book.transaction() as tx:
        case = challenges.let_in(tx, payment_id, request.args.get("key", ""))
        return_url = _return_url(case)
        try:
            decision = Decision(request.form.get("outcome", ""))
        except ValueError as error:
            raise Malformed(parameter="outcome") from error
        try:
            payment = challenges.decide(tx, asked, case, decision)
        except ChallengeClosed:
            return _outcome(case.payment, return_url, STATUS_BY_REFUSAL[ChallengeClosed])
    requests.provider().wake()
    return _outcome(payment, None, 200) if return_url is None else _sent_back(return_url)


@bank.errorhandler(Refusal)
def on_refusal(refusal: Refusal) -> AnyResponse:
    heading, sentence = WORDS[type(refusal)]
    html = render_template("said.html", heading=heading, sentence=sentence, return_url=None)
    return _page(html, STATUS_BY_REFUSAL[type(refusal)], None)


def _sent_back(return_url: str) -> AnyResponse:
    # 303: whatever comes next is fetched, and a reload decides nothing again.
    response = redirect(return_url, 303)
    response.headers.update(HEADERS)
    return response


def _outcome(payment: Payment, return_url: str | None, status: int) -> Response:
    heading, sentence = OUTCOMES.get(payment.status, APPROVED_LONG_AGO)
    html = render_template("said.html", heading=heading, sentence=sentence, return_url=return_url)
    return _page(html, status, None)


def _return_url(case: Case) -> str | None:
    """What the page was asked for wins over the authorization. Raises ReturnUrlNotAllowed."""
    asked_for = request.args.get("return_url")
    if asked_for is None:
        return case.challenge.return_url
    return_urls.require_allowed(asked_for, requests.provider().settings.allowed_origins)
    return asked_for


def _page(html: str, status: int, return_url: str | None) -> Response:
    """return_url: where the form may lead, which browsers hold against `form-action` too."""
    response = Response(html, status, headers=HEADERS)
    if return_url is not None:
        policy = HEADERS["Content-Security-Policy"]
        allowed = f"form-action 'self' {return_urls.origin_of(return_url)};"
        response.headers["Content-Security-Policy"] = policy.replace("form-action 'self';", allowed)
    return response
