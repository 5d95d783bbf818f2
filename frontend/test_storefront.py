"""Shoppers without JavaScript go through the storefront's own pages. Judges no looks.

`make walk`: a shop and a storefront of their own, on free ports, that meet no other ones; or those
that CARTWRIGHT_ENDPOINTS names, which is what `make walk SHOP=compose` sets.
"""

import os
import re
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from harness import stack
from harness.eventually import eventually
from harness.faults.http_rules import HttpFault
from harness.faults.planter import Faults
from harness.process import ports
from harness.process.endpoints import Endpoints
from harness.providers.choice import ENDPOINTS_VARIABLE
from harness.shopper.scenario_shop import ScenarioShop

START = Path(__file__).parent / "start.py"
# Both take a second; a busy machine may take long.
READY_WITHIN_S = 30.0
SETTLED_WITHIN_S = 30.0
MAILED_WITHIN_S = 15.0
# A page waits four seconds for a service.
PAGE_TIMEOUT_S = 15.0

PARTS, TOTAL = ("Goods", "Delivery", "Tax"), "Total"


class Page(HTMLParser):
    """words: its texts, in their order. forms: of each its words and the fields it would send.

    reloads: whether it will load itself again. titles: of each h1, its role.
    nonces: of each script, what its page's policy has to know. styled: in the midst of its HTML.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.forms: list[tuple[list[str], dict[str, str]]] = []
        self.reloads = False
        self.titles: list[str | None] = []
        self.nonces: list[str | None] = []
        self.styled = False
        self._silent = self._in_form = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._silent = tag in {"script", "style"}
        self.styled |= tag == "style" or "style" in given
        if tag == "script":
            self.nonces.append(given.get("nonce"))
        if tag == "meta" and given.get("http-equiv") == "refresh":
            self.reloads = True
        elif tag == "h1":
            self.titles.append(given.get("role"))
        elif tag == "form":
            self.forms.append(([], {}))
            self._in_form = True
        elif (
            tag == "input"
            and self._in_form
            and (given.get("type") != "radio" or "checked" in given)
        ):
            self.forms[-1][1][given["name"] or ""] = given.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        self._silent = False
        self._in_form &= tag != "form"

    def handle_data(self, data: str) -> None:
        if not self._silent and (words := data.strip()):
            self.words.append(words)
            if self._in_form:
                self.forms[-1][0].append(words)


class Browser:
    """Somebody's, without JavaScript: keeps cookies, posts forms, sees the page that comes."""

    def __init__(self, storefront: str) -> None:
        self.http = httpx.Client(
            base_url=storefront, timeout=PAGE_TIMEOUT_S, follow_redirects=True,
            headers={"Origin": storefront},
        )  # fmt: skip
        self.nonces_seen: set[str] = set()

    def open(self, path: str) -> Page:
        return self._shown(self.http.get(path))

    def submit(self, button: str, **typed: str) -> Page:
        """Fill in the form with this *button* and send it."""
        [fields] = [fields for words, fields in self.page.forms if button in words]
        assert typed.keys() <= fields.keys()
        parts = {name: (None, value) for name, value in (fields | typed).items()}
        return self._shown(self.http.post(self.path, files=parts))

    def submit_twice(self, button: str, **typed: str) -> Page:
        """As somebody does who clicks again before the answer is there."""
        before = self.page
        self.submit(button, **typed)
        self.page = before
        return self.submit(button, **typed)

    def follow(self) -> Page:
        """The page, when it does not load itself again any more."""
        eventually(
            lambda: not self.page.reloads or not self.open(self.path).reloads,
            SETTLED_WITHIN_S,
            f"the end of {self.path}",
        )
        return self.page

    def _shown(self, response: httpx.Response) -> Page:
        response.raise_for_status()
        self.path, self.page = response.url.path, Page(response.text)
        self._allows_itself(response.headers["Content-Security-Policy"])
        return self.page

    def _allows_itself(self, policy: str) -> None:
        """A browser with JavaScript runs no script, and heeds no style, but what the policy has."""
        [nonce] = re.findall(r"script-src 'nonce-([A-Za-z0-9+/=]+)' 'strict-dynamic';", policy)
        assert set(self.page.nonces) == {nonce}, f"{self.path}: some scripts would not run"
        assert nonce not in self.nonces_seen, "whoever has seen one could write the next"
        self.nonces_seen.add(nonce)
        assert "style-src 'self';" in policy
        assert not self.page.styled, f"{self.path}: a style would not be heeded"


@pytest.fixture(scope="module")
def endpoints() -> Iterator[Endpoints]:
    if os.environ.get(ENDPOINTS_VARIABLE):
        yield stack.external_shop()
        return
    with tempfile.TemporaryDirectory(prefix="cartwright-walk-") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL, which refuses to be root, passes through.
        with stack.running(Path(folder) / "home", faults=True) as endpoints:
            yield endpoints


@pytest.fixture(scope="module")
def shop(endpoints: Endpoints) -> Iterator[ScenarioShop]:
    with ScenarioShop(endpoints) as shop:
        yield shop


@pytest.fixture
def faults(endpoints: Endpoints) -> Iterator[Faults]:
    if not endpoints.faults_url:
        pytest.skip("this shop was not started for faults")
    with Faults(endpoints) as faults:
        yield faults


@pytest.fixture(scope="module")
def storefront(endpoints: Endpoints) -> Iterator[str]:
    if not endpoints.home:
        asked = ["docker", "compose", "port", "storefront", "3000"]
        published = subprocess.check_output(asked, cwd=stack.repository(), text=True)  # noqa: S603
        yield f"http://{published.strip()}"
        return
    with serving(endpoints) as address:
        yield address


@contextmanager
def serving(endpoints: Endpoints, **more: str) -> Iterator[str]:
    """Where. more: of its environment."""
    with start(endpoints, **more) as server:
        assert server.stdout
        address = re.search(r"http://\S+", server.stdout.read())  # It closes it and serves.
        assert address
        try:
            eventually(lambda: answers(address[0]), READY_WITHIN_S, "the storefront")
            yield address[0]
        finally:
            server.terminate()


@pytest.fixture
def browser(storefront: str) -> Iterator[Browser]:
    browser = Browser(storefront)
    with browser.http:
        yield browser


def start(endpoints: Endpoints, **more: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PORT"}
    return subprocess.Popen(  # noqa: S603  Our own file.
        [sys.executable, str(START)],
        env=environment | {"CARTWRIGHT_HOME": endpoints.home} | more,
        stdout=subprocess.PIPE,
        text=True,
    )


def answers(storefront: str) -> bool:
    try:
        return httpx.get(f"{storefront}/healthz").is_success
    except httpx.TransportError:
        return False


def sums(words: Sequence[str]) -> dict[str, Decimal]:
    """The amounts as they stand beside their names, whatever their currency looks like."""
    shown = {name: words[words.index(name) + 1] for name in (*PARTS, TOTAL)}
    return {name: Decimal(re.sub(r"[^\d.]", "", amount)) for name, amount in shown.items()}


def test_a_guest_buys_and_every_page_and_the_mail_show_the_same_sums(
    shop: ScenarioShop, browser: Browser
) -> None:
    browser.open(f"/products/{shop.sell('Tea', price_minor=269, on_hand=5)}")
    browser.submit("Add to cart", quantity="2")
    in_cart = sums(browser.open("/cart").words)
    at_checkout = sums(browser.open("/checkout").words)

    browser.submit(f"Order and pay ${in_cart[TOTAL]}", email="gina@shoppers.example")

    ordered = browser.follow().words
    assert "Your order is confirmed" in ordered
    assert "Payment taken" in ordered
    order_id = browser.path.removeprefix("/orders/")
    [mail] = eventually(lambda: shop.mails(order_id), MAILED_WITHIN_S, "a mail")
    written = shop.mail(mail["id"])
    assert sum(in_cart[part] for part in PARTS) == in_cart[TOTAL]
    assert in_cart == at_checkout == sums(ordered)
    assert in_cart == sums(Page(written["html"]).words)
    assert in_cart == sums(re.split(r": |\n", written["text"]))


def test_a_changed_price_is_shown_and_can_be_accepted(shop: ScenarioShop, browser: Browser) -> None:
    sku = shop.sell("Tea", price_minor=500, on_hand=5)
    browser.open(f"/products/{sku}")
    browser.submit("Add to cart")
    seen = sums(browser.open("/checkout").words)[TOTAL]
    shop.staff.change(sku, price_minor=600).expect()

    refused = browser.submit(f"Order and pay ${seen}", email="gina@shoppers.example")

    now = sums(refused.words)[TOTAL]
    assert browser.path == "/checkout"
    assert now > seen
    assert f"You saw ${seen}, it costs ${now} now." in " ".join(refused.words)
    browser.submit(f"Order and pay ${now}")  # With the address that was typed before.
    ordered = browser.follow().words
    assert "Your order is confirmed" in ordered
    assert sums(ordered)[TOTAL] == now


def test_an_order_whose_answer_is_lost_is_found_by_trying_again(
    shop: ScenarioShop, faults: Faults, browser: Browser
) -> None:
    sku = shop.sell("Tea", price_minor=500, on_hand=5)
    browser.open(f"/products/{sku}")
    browser.submit("Add to cart")
    order = f"Order and pay ${sums(browser.open('/checkout').words)[TOTAL]}"
    faults.spoil_http(HttpFault.LOSE_ANSWER, "order", "POST /orders", times=2)

    silent = browser.submit(order, email="gina@shoppers.example")

    assert "The order service did not answer" in silent.words
    cart = browser.http
    eventually(
        lambda: "Your cart is empty" in Page(cart.get("/cart").text).words,
        SETTLED_WITHIN_S,
        "an emptied cart",
    )
    silent = browser.submit(order)
    assert (browser.path, silent.words.count("Your cart is empty")) == ("/checkout", 0)
    browser.submit(order)
    assert browser.path.startswith("/orders/")
    assert "Your order is confirmed" in browser.follow().words
    faults.assert_happened(HttpFault.LOSE_ANSWER, 2)
    assert shop.stock(sku)["on_hand"] == 4


def test_a_key_that_is_another_orders_is_replaced(
    shop: ScenarioShop, faults: Faults, browser: Browser
) -> None:
    # Of what is sold out: such an order leaves the cart as it is.
    browser.open(f"/products/{shop.sell('Tea', price_minor=500, on_hand=0)}")
    browser.submit("Add to cart")
    order = f"Order and pay ${sums(browser.open('/checkout').words)[TOTAL]}"
    faults.spoil_http(HttpFault.LOSE_ANSWER, "order", "POST /orders")
    browser.submit(order, email="gina@shoppers.example")

    refused = browser.submit(order, email="gin@shoppers.example")

    assert "The Idempotency-Key was used for another request" in refused.words
    browser.submit(order)
    assert browser.path.startswith("/orders/")


def test_an_order_that_cannot_be_read_at_once_is_followed_all_the_same(
    shop: ScenarioShop, faults: Faults, browser: Browser
) -> None:
    browser.open(f"/products/{shop.sell('Tea', price_minor=500, on_hand=5)}")
    browser.submit("Add to cart")
    total = sums(browser.open("/checkout").words)[TOTAL]
    faults.spoil_http(HttpFault.UNAVAILABLE, "order", "GET /orders/.*")

    first = browser.submit(f"Order and pay ${total}", email="gina@shoppers.example")

    faults.assert_happened(HttpFault.UNAVAILABLE)
    assert "Your order is confirmed" not in first.words
    assert first.reloads
    assert "Your order is confirmed" in browser.follow().words


def test_a_guest_whose_token_does_not_hold_is_let_in_anew(
    shop: ScenarioShop, browser: Browser
) -> None:
    browser.http.cookies.set("guest", "stale", domain="127.0.0.1", path="/")
    assert "Your cart is empty" in browser.open("/cart").words
    assert "This order cannot be shown here" in browser.open(f"/orders/{uuid.uuid4()}").words
    browser.open(f"/products/{shop.sell('Tea', price_minor=500, on_hand=5)}")

    added = browser.submit("Add to cart")

    assert "In your cart." in added.words
    assert sums(browser.open("/cart").words)["Goods"] == Decimal("5.00")


def test_a_double_click_adds_once_and_a_further_one_once_more(
    shop: ScenarioShop, browser: Browser
) -> None:
    browser.open(f"/products/{shop.sell('Tea', price_minor=500, on_hand=5)}")
    browser.submit("Add to cart")

    browser.submit_twice("Add to cart", quantity="2")

    assert "In your cart." in browser.page.words
    assert sums(browser.open("/cart").words)["Goods"] == Decimal("15.00")


def test_what_was_added_and_not_answered_is_added_once(
    shop: ScenarioShop, faults: Faults, browser: Browser
) -> None:
    browser.open(f"/products/{shop.sell('Tea', price_minor=500, on_hand=5)}")
    faults.spoil_http(HttpFault.LOSE_ANSWER, "cart", "PATCH /cart/lines/.*")

    silent = browser.submit("Add to cart", quantity="2")

    assert "The cart service did not answer" in silent.words
    assert "In your cart." in browser.submit("Add to cart").words
    faults.assert_happened(HttpFault.LOSE_ANSWER)
    assert sums(browser.open("/cart").words)["Goods"] == Decimal("10.00")


def test_more_than_a_cart_holds_of_a_product_is_refused_and_told(
    shop: ScenarioShop, browser: Browser
) -> None:
    browser.open(f"/products/{shop.sell('Tea', price_minor=500, on_hand=5)}")
    browser.submit("Add to cart", quantity="60")

    refused = browser.submit("Add to cart", quantity="60")

    assert "The cart holds no more of this product" in refused.words
    assert "In your cart." not in refused.words
    assert sums(browser.open("/cart").words)["Goods"] == Decimal("300.00")


def test_who_has_something_that_is_not_sold_any_more_is_sent_back_to_the_cart(
    shop: ScenarioShop, browser: Browser
) -> None:
    for name in ("Tea", "Wine"):
        sku = shop.sell(name, price_minor=500, on_hand=5)
        browser.open(f"/products/{sku}")
        browser.submit("Add to cart")
    total = sums(browser.open("/checkout").words)[TOTAL]
    shop.staff.withdraw(sku).expect()

    refused = browser.submit(f"Order and pay ${total}", email="gina@shoppers.example")

    assert browser.path == "/cart"
    assert "No longer sold: please take it out." in refused.words
    browser.open("/checkout")
    assert browser.path == "/cart"


def test_every_page_has_one_title_of_no_other_role(
    shop: ScenarioShop, faults: Faults, browser: Browser
) -> None:
    sku = shop.sell("Tea", price_minor=500, on_hand=5)
    browser.open(f"/products/{sku}")
    pages = ["/", "/?q=tea", "/?department=Scenario", "/?q=nothing-of-the-kind"]
    pages += ["/cart", "/checkout", f"/products/{sku}", "/products/NONE", f"/orders/{uuid.uuid4()}"]
    titles = {path: browser.open(path).titles for path in pages}
    browser.open(f"/products/{sku}")
    browser.submit("Add to cart")
    titles |= {f"{path}, filled": browser.open(path).titles for path in ("/cart", "/checkout")}
    total = sums(browser.page.words)[TOTAL]
    browser.submit(f"Order and pay ${total}", email="gina@shoppers.example")
    titles["an order"] = browser.page.titles
    faults.spoil_http(HttpFault.UNAVAILABLE, "cart", "GET /cart", times=4)
    titles |= {f"{path}, away": browser.open(path).titles for path in ("/cart", "/checkout")}

    assert titles == {page: [None] for page in titles}


def test_a_cart_that_is_changed_shows_its_new_sums(shop: ScenarioShop, browser: Browser) -> None:
    browser.open(f"/products/{shop.sell('Wine', price_minor=2500, on_hand=5)}")
    browser.submit("Add to cart")
    assert sums(browser.open("/cart").words)["Delivery"] > 0

    browser.submit("Change", quantity="2")

    after = sums(browser.page.words)
    assert (after["Goods"], after["Delivery"]) == (Decimal("50.00"), 0)


def test_an_order_is_not_shown_to_another_browser(browser: Browser) -> None:
    page = browser.open(f"/orders/{uuid.uuid4()}")

    assert "This order cannot be shown here" in page.words


@pytest.mark.skipif(ENDPOINTS_VARIABLE in os.environ, reason="Compose has one storefront")
def test_behind_https_the_cookie_is_of_this_host_alone(
    endpoints: Endpoints, shop: ScenarioShop
) -> None:
    sku = shop.sell("Honey", price_minor=700, on_hand=5)
    port = next(port for port in ports.FREE_PORTS if ports.reserve(port))
    with serving(endpoints, COOKIE_SECURE="1", PORT=str(port)) as address:
        browser = Browser(address)
        with browser.http:
            browser.open(f"/products/{sku}")
            browser.submit("Add to cart")
            [cookie] = browser.http.cookies.jar

    # What the prefix asks for: RFC 6265bis §4.1.3.2.
    named = (cookie.name, cookie.secure, cookie.path, cookie.domain_specified)
    assert named == ("__Host-guest", True, "/", False)
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite", "").lower() == "lax"


@pytest.mark.skipif(ENDPOINTS_VARIABLE in os.environ, reason="Compose says it of its own")
@pytest.mark.usefixtures("storefront")
def test_a_taken_port_is_told_with_its_fix_before_any_address(
    endpoints: Endpoints, capfd: pytest.CaptureFixture[str]
) -> None:
    with start(endpoints) as second:
        said, _ = second.communicate()

    assert (second.returncode, said) == (1, "")
    assert "choose another port by PORT=" in capfd.readouterr().err
