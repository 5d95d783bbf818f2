from typing import TYPE_CHECKING, Any

import pytest
from common.auth import Role
from common.ids import new_id
from common.testing import bearer
from flask.testing import FlaskClient

if TYPE_CHECKING:
    from conftest import News

ADA = "ada@customer.example"
STAFF = bearer(Role.STAFF, "staff-1")
CUSTOMER = bearer(Role.CUSTOMER, "customer-1")


def _type(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["type"]


# --- Of an order


def test_staff_see_the_messages_of_an_order(client: FlaskClient, news: "News") -> None:
    order_id = new_id()
    news.heard(news.cancelled(order_id))

    answer = client.get(f"/orders/{order_id}/messages", headers=STAFF)

    assert answer.json
    (message,) = answer.json["messages"]
    assert message["kind"] == "order_cancellation"
    assert message["recipient"] == ADA
    assert message["state"] == "queued"
    assert message["sent_at"] is None


def test_an_order_that_nobody_heard_of_has_no_messages(client: FlaskClient) -> None:
    order_id = new_id()

    answer = client.get(f"/orders/{order_id}/messages", headers=STAFF)

    assert answer.json == {"order_id": order_id, "messages": []}


@pytest.mark.parametrize("role", [Role.GUEST, Role.CUSTOMER])
def test_shoppers_see_their_own(client: FlaskClient, news: "News", role: Role) -> None:
    order_id = new_id()
    news.heard(news.confirmed(order_id))

    answer = client.get(f"/orders/{order_id}/messages", headers=bearer(role, "customer-1"))

    assert answer.json
    assert [message["kind"] for message in answer.json["messages"]] == ["order_confirmation"]


def test_somebody_elses_order_answers_as_one_that_is_not(client: FlaskClient, news: "News") -> None:
    order_id, unknown = new_id(), new_id()
    news.heard(news.confirmed(order_id))
    other = bearer(Role.CUSTOMER, "customer-2")

    answers = [
        client.get(f"/orders/{each}/messages", headers=other) for each in (order_id, unknown)
    ]

    foreign, none = (answer.text.replace(order_id, "X").replace(unknown, "X") for answer in answers)
    assert _type(answers[0]) == (404, "/problems/nothing-written")
    assert foreign == none


def test_a_message_whose_customer_nobody_told_is_the_staffs(
    client: FlaskClient, news: "News"
) -> None:
    order_id = new_id()
    news.heard_unpromised(news.confirmed(order_id, customer_id=None))
    path = f"/orders/{order_id}/messages"

    assert client.get(path, headers=CUSTOMER).status_code == 404
    assert len(client.get(path, headers=STAFF).json["messages"]) == 1  # type: ignore[index]


# --- The staff's view


def test_the_staff_find_the_dead_letters(client: FlaskClient, news: "News", refused: str) -> None:
    news.heard(news.confirmed(email="bob@customer.example"))

    answer = client.get("/messages?state=failed", headers=STAFF)

    assert answer.json
    (dead,) = answer.json["items"]
    assert (dead["id"], dead["reason"]) == (refused, "refused")
    assert dead["last_error"] == "550 5.1.1 No such user"
    assert "text" not in dead


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 3),
        ("?kind=refund", 1),
        ("?recipient=BOB@customer.example", 1),
        ("?kind=refund&recipient=bob@customer.example", 0),
        ("?state=queued&kind=order_confirmation", 2),
    ],
)
def test_the_list_is_narrowed(client: FlaskClient, news: "News", query: str, count: int) -> None:
    news.heard(news.confirmed(), news.refunded(), news.confirmed(email="bob@customer.example"))

    answer = client.get(f"/messages{query}", headers=STAFF)

    assert answer.json
    assert len(answer.json["items"]) == count


def test_pages_hold_each_message_once(client: FlaskClient, news: "News") -> None:
    news.heard(*(news.confirmed() for _ in range(5)))
    pages: list[list[str]] = []
    query: dict[str, str] | None = {"limit": "2"}

    while query is not None:
        page = client.get("/messages", query_string=query, headers=STAFF).json
        assert page
        pages.append([message["id"] for message in page["items"]])
        query = {"limit": "2", "cursor": page["next_cursor"]} if page["next_cursor"] else None

    newest_first = sorted((message.id for message in news.messages()), reverse=True)
    assert pages == [newest_first[:2], newest_first[2:4], newest_first[4:]]


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("state=lost", "malformed"),
        ("colour=red", "malformed"),
        ("recipient=", "malformed"),
        ("recipient=a%00", "malformed"),
        ("limit=0", "malformed-limit"),
        ("limit=101", "malformed-limit"),
        ("cursor=x", "malformed-cursor"),
        ("cursor=WyJ4Il0", "malformed-cursor"),
    ],
)
def test_what_the_contract_does_not_promise_is_refused(
    client: FlaskClient, query: str, problem: str
) -> None:
    answer = client.get(f"/messages?{query}", headers=STAFF)

    assert _type(answer) == (400, f"/problems/{problem}")


def test_staff_find_an_address_however_they_type_it(client: FlaskClient, news: "News") -> None:
    news.heard(news.confirmed(email="info@müller.example"), news.confirmed())

    for typed in ("info@müller.example", "INFO@xn--mller-kva.example"):
        answer = client.get("/messages", query_string={"recipient": typed}, headers=STAFF)
        assert answer.json
        assert [m["recipient"] for m in answer.json["items"]] == ["info@xn--mller-kva.example"]


def test_a_message_is_shown_with_its_bodies(client: FlaskClient, news: "News") -> None:
    news.heard(news.confirmed())

    answer = client.get(f"/messages/{news.message().id}", headers=STAFF)

    assert answer.json
    assert answer.json["text"] == news.message().text
    assert answer.json["html"] == news.message().html
    assert _type(client.get(f"/messages/{new_id()}", headers=STAFF)) == (
        404, "/problems/message-not-found",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/messages"),
        ("GET", "/messages/{id}"),
        ("POST", "/messages/{id}/resend"),
        ("GET", "/suppressions"),
        ("DELETE", "/suppressions/{id}"),
    ],
)
@pytest.mark.parametrize("role", [Role.GUEST, Role.CUSTOMER, Role.SERVICE])
def test_what_is_the_staffs_is_nobody_elses(
    client: FlaskClient, method: str, path: str, role: Role
) -> None:
    url = path.format(id=new_id())

    assert client.open(url, method=method).status_code == 401
    assert client.open(url, method=method, headers=bearer(role, "x")).status_code == 403
