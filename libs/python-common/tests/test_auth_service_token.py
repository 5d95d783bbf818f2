"""A service's own token: got once, renewed early, used on while none is to be had."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from common import auth
from common.auth import Caller, Role, ServiceToken, ServiceTokenUnavailable, service_token
from common.auth.service_token import Granted
from common.settings import ServiceSettings
from common.testing import JWT_SECRET
from pydantic import SecretStr


class Grants:
    """Gives t1, t2, … or fails; counts."""

    def __init__(self, *, lifetime_s: float = 300) -> None:
        self.lifetime_s = lifetime_s
        self.given = 0
        self.failure: Exception | None = None

    def __call__(self) -> Granted:
        if self.failure:
            raise self.failure
        self.given += 1
        return Granted(f"t{self.given}", self.lifetime_s)


def client(token: ServiceToken, refused: frozenset[str] = frozenset()) -> httpx.Client:
    """Sends to a neighbour that answers with the token it was shown."""

    def answer(request: httpx.Request) -> httpx.Response:
        shown = request.headers["Authorization"].removeprefix("Bearer ")
        return httpx.Response(401 if shown in refused else 200, text=shown)

    return httpx.Client(
        transport=httpx.MockTransport(answer), auth=token, base_url="http://catalog"
    )


def test_many_requests_share_one_token() -> None:
    grants = Grants()

    with client(ServiceToken(grants)) as neighbour:
        shown = {neighbour.get("/").text for _ in range(20)}

    assert shown == {"t1"}


def test_many_threads_get_one_token() -> None:
    grants, barrier = Grants(), threading.Barrier(8)
    token = ServiceToken(grants)

    def ask(_: int) -> str:
        barrier.wait()
        return token.token()

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(ask, range(8))) == {"t1"}
    assert grants.given == 1


def test_one_near_its_end_is_renewed() -> None:
    grants = Grants(lifetime_s=0)
    token = ServiceToken(grants)
    with pytest.raises(ServiceTokenUnavailable):
        token.token()  # It expired on the way.
    grants.lifetime_s = 300

    assert token.token() == "t2"


def test_while_none_is_granted_the_old_one_is_used_on() -> None:
    grants = Grants()
    token = ServiceToken(grants)
    assert token.token() == "t1"
    token._renew_at = float("-inf")
    grants.failure = httpx.ConnectError("down")

    assert token.token() == "t1"


@pytest.mark.parametrize(
    "failure", [httpx.ConnectError("down"), ValueError("no JSON"), KeyError("access_token")]
)
def test_without_any_it_is_unavailable(failure: Exception) -> None:
    grants = Grants()
    grants.failure = failure

    with client(ServiceToken(grants)) as neighbour, pytest.raises(ServiceTokenUnavailable):
        neighbour.get("/")


def test_a_refused_one_is_replaced_once() -> None:
    grants = Grants()
    token = ServiceToken(grants)
    token.token()
    token._granted_at -= 10

    with client(token, frozenset({"t1"})) as neighbour:
        assert neighbour.post("/", json={"a": 1}).text == "t2"
    assert grants.given == 2


def test_a_new_one_that_is_refused_is_not_replaced_again_and_again() -> None:
    grants = Grants()

    with client(ServiceToken(grants), frozenset({"t1"})) as neighbour:
        statuses = [neighbour.get("/").status_code for _ in range(10)]

    assert statuses == [401] * 10
    assert grants.given == 1


@pytest.fixture
def _name(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SERVICE_NAME", "cart")
    return


@pytest.mark.usefixtures("_name")
def test_in_development_it_is_made_from_the_shared_secret() -> None:
    settings = ServiceSettings(
        database_url=SecretStr("postgresql+psycopg2://cart@/shop"), jwt_secret=SecretStr(JWT_SECRET)
    )
    made = service_token(settings)
    assert isinstance(made, ServiceToken)

    with client(made) as neighbour:
        shown = neighbour.get("/").text

    assert auth.verify(JWT_SECRET, shown) == Caller("cart", Role.SERVICE)
