"""A service's own token: got once, renewed early, used on while none is to be had."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from common import auth, deadline
from common.auth import Caller, Role, ServiceToken, ServiceTokenUnavailable, service_token
from common.auth.service_token import TIMEOUT, Granted, _granted
from common.settings import ServiceSettings
from common.testing import JWT_SECRET
from common.testing.deadlines import Clock, Drip, request_with
from pydantic import SecretStr


class Grants:
    """Gives t1, t2, … or fails; counts."""

    def __init__(self, *, lifetime_s: float = 300) -> None:
        self.lifetime_s = lifetime_s
        self.given = 0
        self.asked = 0
        self.failure: Exception | None = None

    def __call__(self) -> Granted:
        self.asked += 1
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


def test_the_token_endpoint_is_waited_for_as_long_as_our_own_caller_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Clock(monkeypatch)
    asked: list[httpx.Timeout] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(httpx.Timeout(**request.extensions["timeout"]))
        return httpx.Response(200, json={"access_token": "t1", "expires_in": 300})

    with httpx.Client(transport=httpx.MockTransport(answer), timeout=TIMEOUT) as http:
        grant = _granted(http, "http://auth/oauth2/token")
        with request_with(left_s=0.2):
            grant()
        grant()  # A worker, for whom nobody waits.

    short, usual = asked
    assert (short.connect, short.read) == (pytest.approx(0.2), pytest.approx(0.2))
    assert usual == TIMEOUT


def test_a_token_that_drips_is_none_when_our_own_caller_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    began_s = clock.now_s

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Drip(clock, each_s=0.25))

    with httpx.Client(transport=httpx.MockTransport(answer), timeout=TIMEOUT) as http:
        token = ServiceToken(_granted(http, "http://auth/oauth2/token"))
        with request_with(left_s=1.0), pytest.raises(ServiceTokenUnavailable):
            token.token()

    assert clock.now_s - began_s <= 1.0


def test_who_ran_out_of_time_keeps_nobody_else_from_asking() -> None:
    grants = Grants()
    token = ServiceToken(grants)
    grants.failure = httpx.ReadTimeout("slow")
    with request_with(left_s=0.2), pytest.raises(ServiceTokenUnavailable):
        token.token()
    grants.failure = None

    assert token.token() == "t1"


@pytest.mark.parametrize(
    ("failure", "left_s"),
    [(httpx.ReadTimeout("slow"), 3.0), (httpx.ConnectError("down"), 0.2)],
    ids=["slow for anybody", "down"],
)
def test_what_is_known_to_fail_is_not_asked_again_at_once(
    failure: httpx.HTTPError, left_s: float
) -> None:
    grants = Grants()
    token = ServiceToken(grants)
    grants.failure = failure

    for _ in range(3):
        with request_with(left_s), pytest.raises(ServiceTokenUnavailable):
            token.token()

    assert grants.asked == 1


def test_with_no_time_left_nobody_is_asked() -> None:
    grants = Grants()

    with request_with(left_s=0), pytest.raises(ServiceTokenUnavailable):
        ServiceToken(grants).token()

    assert grants.asked == 0


def test_a_renewal_is_left_to_who_has_time_for_it() -> None:
    grants = Grants()
    token = ServiceToken(grants)
    token.token()
    token._renew_at = float("-inf")

    with request_with(left_s=0.2):
        assert token.token() == "t1"
    with request_with(left_s=3):
        assert token.token() == "t2"


def test_a_renewal_that_ran_out_of_time_leaves_the_old_one() -> None:
    grants = Grants()
    token = ServiceToken(grants)
    token.token()
    grants.failure = httpx.ReadTimeout("slow")
    token._renew_at = float("-inf")

    with request_with(left_s=0.2):
        token._renew()  # There was time enough a moment ago.

    assert token.token() == "t1"
    assert grants.asked == 2


def test_another_threads_fetch_is_waited_for_as_long_as_our_own_caller_waits() -> None:
    token = ServiceToken(Grants())

    with token._granting, request_with(left_s=0.01), pytest.raises(ServiceTokenUnavailable):
        token.token()


def test_a_token_is_not_replaced_while_there_is_no_time_to_wait_for_another() -> None:
    token = ServiceToken(Grants())
    token.token()

    with (
        request_with(left_s=0.01),
        client(token, frozenset({"t1"})) as neighbour,
        token._granting,
    ):
        assert neighbour.get("/").status_code == 401


def test_what_a_token_took_of_the_time_its_request_does_not_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, left = Clock(monkeypatch), []

    def grant() -> Granted:
        clock.now_s += 0.25
        return Granted("t1", 300)

    def answer(request: httpx.Request) -> httpx.Response:
        left.append((request.extensions["timeout"]["read"], request.headers[deadline.HEADER]))
        return httpx.Response(200)

    transport = httpx.MockTransport(answer)
    with (
        request_with(left_s=0.5),
        httpx.Client(transport=transport, auth=ServiceToken(grant)) as http,
    ):
        http.get("http://catalog/", timeout=0.5)

    assert left == [(0.25, "250")]


def test_whoever_had_time_for_an_answer_has_learnt_that_none_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, asked = Clock(monkeypatch), list[int]()

    def slow() -> Granted:
        asked.append(1)
        clock.now_s += 2.0  # All of TIMEOUT, and less is left now than it takes.
        raise httpx.ReadTimeout("slow")

    token = ServiceToken(slow)
    for _ in range(2):
        with request_with(left_s=3.0), pytest.raises(ServiceTokenUnavailable):
            token.token()

    assert len(asked) == 1
