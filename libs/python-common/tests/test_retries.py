"""A neighbour that fails is asked again a little, and in an outage hardly at all."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from common import deadline, retries
from common.retries import ATTEMPTS_MAX, RETRIES_SAVED_MAX, NotNow, Retries, RetryBudget
from flask import Flask, g

URL = "http://catalog/quotes"
Answer = int | httpx.Response | type[httpx.RequestError]


class Neighbour:
    """Answers as planned, then 200; remembers what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.patience_s: list[float] = []  # As it was when the question came.
        self.slept_s: list[float] = []
        self.http = httpx.Client(transport=httpx.MockTransport(self), timeout=2.0)
        self.retries = Retries("catalog", self.slept_s.append)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        self.patience_s.append(request.extensions["timeout"]["read"])
        answer = self.answers.pop(0) if self.answers else httpx.Response(200, text="here")
        if isinstance(answer, type):
            raise answer("catalog")
        return httpx.Response(answer) if isinstance(answer, int) else answer

    def send(self, method: str = "GET", *, repeatable: bool = False) -> httpx.Response:
        return self.retries.send(self.http, method, URL, repeatable=repeatable, json={"skus": []})


@pytest.fixture
def failing_server() -> Iterator[tuple[str, list[str]]]:
    """Its address, and what it was asked; it is there, and says 503 to everybody."""
    asked: list[str] = []

    class Failing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Failing) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", asked
        server.shutdown()
        thread.join()


def test_in_a_full_outage_a_neighbour_gets_a_tenth_more_and_not_the_threefold(
    failing_server: tuple[str, list[str]],
) -> None:
    url, asked = failing_server
    outage = Retries("catalog", lambda _: None)
    requests = 400

    def shop(http: httpx.Client) -> None:
        for _ in range(requests // 4):
            with pytest.raises(NotNow):
                outage.send(http, "GET", url)

    with httpx.Client() as http:
        shoppers = [threading.Thread(target=shop, args=(http,)) for _ in range(4)]
        for shopper in shoppers:
            shopper.start()
        for shopper in shoppers:
            shopper.join()

    assert requests * 1.1 <= len(asked) <= requests * 1.1 + RETRIES_SAVED_MAX
    assert len(asked) / requests <= 1.15


@pytest.mark.parametrize(
    "stumble",
    [
        502, 503, 504,
        httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadError,
        httpx.RemoteProtocolError,
    ],
)  # fmt: skip
def test_a_neighbour_that_stumbles_is_asked_again(stumble: Answer) -> None:
    neighbour = Neighbour(stumble, stumble)

    assert neighbour.send().text == "here"
    assert len(neighbour.asked) == ATTEMPTS_MAX


def test_three_times_is_all() -> None:
    neighbour = Neighbour(*[503] * 9)

    with pytest.raises(NotNow):
        neighbour.send()

    assert len(neighbour.asked) == 3


@pytest.mark.parametrize("answer", [500, 400, 404, 429])
def test_an_answer_is_an_answer(answer: Answer) -> None:
    neighbour = Neighbour(answer)

    assert neighbour.send().status_code >= 400
    assert len(neighbour.asked) == 1


def test_whoever_was_slow_is_not_asked_again() -> None:
    neighbour = Neighbour(httpx.ReadTimeout)

    with pytest.raises(httpx.ReadTimeout):
        neighbour.send()

    assert len(neighbour.asked) == 1


@pytest.mark.parametrize(
    ("method", "said", "times"),
    [
        ("GET", {}, 2), ("PUT", {}, 2), ("DELETE", {}, 2),
        ("POST", {}, 1), ("PATCH", {}, 1), ("POST", {"repeatable": True}, 2),
    ],
)  # fmt: skip
def test_only_what_may_arrive_twice_is_sent_twice(
    method: str, said: dict[str, bool], times: int
) -> None:
    neighbour = Neighbour(503)

    try:
        answered = neighbour.send(method, **said).is_success
    except NotNow:
        answered = False

    assert (len(neighbour.asked), answered) == (times, times == 2)


def test_the_pauses_have_full_jitter() -> None:
    slept_s = []
    for _ in range(200):
        neighbour = Neighbour(503, 503)
        neighbour.send()
        slept_s.append(neighbour.slept_s)

    first, second = zip(*slept_s, strict=True)
    assert max(first) <= retries.RETRY_S < max(second) <= 2 * retries.RETRY_S
    assert min(first) < retries.RETRY_S / 4


def test_a_neighbour_that_names_a_time_is_not_asked_before_it() -> None:
    neighbour = Neighbour(httpx.Response(503, headers={"Retry-After": "1"}))

    neighbour.send()

    assert neighbour.slept_s == [1.0]


@pytest.mark.parametrize("later", ["3", "999999", "9999999", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_and_not_at_all_if_our_own_caller_does_not_wait_so_long(later: str) -> None:
    neighbour = Neighbour(httpx.Response(503, headers={"Retry-After": later}))

    with pytest.raises(NotNow):
        neighbour.send()

    assert (len(neighbour.asked), neighbour.slept_s) == (1, [])


def test_a_call_lasts_no_longer_than_the_caller_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    neighbour = Neighbour(503)

    with Flask("probe").test_request_context():
        g.deadline_at = now_s + 0.5
        neighbour.send()
        g.deadline_at = now_s + 0.03125
        neighbour.answers = [503]
        with pytest.raises(NotNow):
            neighbour.send()

    assert [request.headers[deadline.HEADER] for request in neighbour.asked] == ["500", "500", "31"]
    assert neighbour.patience_s == [pytest.approx(0.5), pytest.approx(0.5), deadline.WORTHWHILE_S]


def test_the_usual_patience_holds_when_the_caller_has_more() -> None:
    neighbour = Neighbour()

    neighbour.send()

    assert neighbour.patience_s == [2.0]


def test_a_budget_is_earned_by_calls_and_has_an_end_and_a_limit() -> None:
    budget = RetryBudget()

    at_first = sum(budget.spend() for _ in range(20))
    for _ in range(25):
        budget.earn()
    earned = sum(budget.spend() for _ in range(20))
    for _ in range(1_000):
        budget.earn()
    saved = sum(budget.spend() for _ in range(20))

    assert (at_first, earned, saved) == (10, 2, 10)


def test_a_budget_may_let_some_through_though_nothing_is_called() -> None:
    now = [0.0]
    budget = RetryBudget(saved_max=3, per_s=0.5, clock=lambda: now[0])

    assert (budget.spend(4), budget.spend(3), budget.left()) == (False, True, 0)
    now[0] = 5.0
    assert budget.left() == 2
    now[0] = 500.0
    assert budget.left() == 3


def test_threads_share_a_budget_without_spending_it_twice() -> None:
    budget, barrier = RetryBudget(), threading.Barrier(8)
    spent: list[bool] = []

    def spend() -> None:
        barrier.wait()
        spent.extend(budget.spend() for _ in range(100))

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(spent) == RETRIES_SAVED_MAX
