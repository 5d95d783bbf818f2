"""Steps about shops that believe other tokens than those of development."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from harness import stack
from harness.eventually import eventually
from harness.identity.cognito import UserPool
from harness.identity.signing_keys import replace_signing_key
from harness.identity.tokens import staff_token
from harness.process.endpoints import Endpoints
from harness.shopper.client import Shopper, Urls, new_http_client
from harness.shopper.history import History
from pytest_bdd import given, parsers, then, when

from steps.identity import PASSWORD

# Enough for somebody to sign in and to have a cart.
SERVICES = ("auth", "cart")
# Keys that are not known are asked for once in ten seconds.
FORGOTTEN_WITHIN_S = 30.0
QUESTIONS_MIN = 20


@dataclass
class Visitor:
    """Somebody with a token, and what the cart service said to each of their questions."""

    endpoints: Endpoints
    token: str
    statuses: list[int] = field(default_factory=list)

    def ask_for_cart(self, http: httpx.Client) -> int:
        url = f"{self.endpoints.services['cart']}/cart"
        response = http.get(url, headers={"Authorization": f"Bearer {self.token}"})
        self.statuses.append(response.status_code)
        return response.status_code


@pytest.fixture(scope="session")
def signing_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    home: Path = tmp_path_factory.mktemp("signing-shop")
    environment = {"AUTH_MODE": "jwks", "JWKS_FRESH_S": "2"}  # A stolen key is forgotten sooner.
    with stack.running(home, services=SERVICES, environment=environment) as running:
        yield running


@pytest.fixture(scope="session")
def user_pool() -> Iterator[UserPool]:
    with UserPool() as pool:
        yield pool


@pytest.fixture(scope="session")
def cognito_shop(
    tmp_path_factory: pytest.TempPathFactory, user_pool: UserPool
) -> Iterator[Endpoints]:
    home: Path = tmp_path_factory.mktemp("cognito-shop")
    with stack.running(home, services=SERVICES, environment=user_pool.environment) as running:
        yield running


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with new_http_client() as client:
        yield client


@given("a shop that trusts published keys", target_fixture="shop")
def trusts_published_keys(signing_shop: Endpoints) -> Endpoints:
    return signing_shop


@given("a shop that trusts a Cognito user pool", target_fixture="shop")
def trusts_cognito(cognito_shop: Endpoints) -> Endpoints:
    return cognito_shop


@given("Nora is signed in there", target_fixture="visitor")
def is_signed_in_there(shop: Endpoints, http: httpx.Client) -> Visitor:
    return Visitor(shop, sign_in(shop, http))


def sign_in(shop: Endpoints, http: httpx.Client) -> str:
    services = shop.services
    urls = Urls(services["auth"], services["cart"], catalog="", order="")
    shopper = Shopper("Nora", urls, http, History())
    email = f"nora-{uuid.uuid4().hex}@shoppers.example"
    shopper.register(email, PASSWORD)
    shopper.log_in(email, PASSWORD)
    return shopper.access_token


@when("the signing key is replaced while she keeps asking for her cart")
def is_replaced(shop: Endpoints, visitor: Visitor, http: httpx.Client) -> None:
    with ThreadPoolExecutor(1) as operator:
        replacing = operator.submit(replace_signing_key, shop)
        while not replacing.done() or len(visitor.statuses) < QUESTIONS_MIN:
            visitor.ask_for_cart(http)
            visitor.token = sign_in(shop, http)
    replacing.result()


@when("the signing key is replaced because it was stolen")
def is_replaced_as_stolen(shop: Endpoints) -> None:
    replace_signing_key(shop, compromised=True)


@when(parsers.re(r"Marta comes with (?P<kind>.+) of the pool"), target_fixture="visitor")
def comes_with(shop: Endpoints, user_pool: UserPool, kind: str) -> Visitor:
    tokens = {
        "an access token": user_pool.access_token(),
        "an id token": user_pool.access_token(token_use="id"),  # noqa: S106  A claim.
        "an access token for another app": user_pool.access_token(client_id="another"),
        "an access token that has expired": user_pool.access_token(lifetime_s=-60),
        "an access token of another pool": user_pool.access_token(iss="https://elsewhere.example"),
        "an access token by an unknown key": user_pool.access_token(kid="unknown"),
    }
    return Visitor(shop, tokens[kind])


@then("the cart service knows her")
def is_known(visitor: Visitor, http: httpx.Client) -> None:
    assert visitor.ask_for_cart(http) == 200


@then("she is refused")
def is_refused_there(visitor: Visitor, http: httpx.Client) -> None:
    assert visitor.ask_for_cart(http) == 401


@then("none of her questions was refused")
def none_refused(visitor: Visitor) -> None:
    assert len(visitor.statuses) >= QUESTIONS_MIN
    assert set(visitor.statuses) == {200}


@then("two keys are published")
def two_keys(shop: Endpoints, http: httpx.Client) -> None:
    def published() -> int:
        url = f"{shop.services['auth']}/.well-known/jwks.json"
        return len(http.get(url).json()["keys"])

    eventually(lambda: published() >= 2, FORGOTTEN_WITHIN_S, "the next key is published")


@then("her token is refused in the end")
def is_refused_in_the_end(visitor: Visitor, http: httpx.Client) -> None:
    eventually(
        lambda: visitor.ask_for_cart(http) == 401, FORGOTTEN_WITHIN_S, "the stolen key is forgotten"
    )


@then("whoever signs in afterwards is known")
def is_known_afterwards(shop: Endpoints, http: httpx.Client) -> None:
    visitor = Visitor(shop, sign_in(shop, http))

    eventually(
        lambda: visitor.ask_for_cart(http) == 200, FORGOTTEN_WITHIN_S, "the new key is known"
    )


@then("a token signed with the development secret is refused")
def development_token(visitor: Visitor, http: httpx.Client) -> None:
    visitor.token = staff_token(visitor.endpoints.jwt_secret)

    assert visitor.ask_for_cart(http) == 401
