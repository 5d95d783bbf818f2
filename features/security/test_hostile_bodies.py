"""What hostile clients write into bodies: numbers that pay less, texts that mean something to some
interpreter behind us, and JSON that is too much or ambiguous.
"""

import json
import uuid
from pathlib import Path
from urllib.parse import quote

import pytest
from harness.audit import output
from harness.eventually import eventually
from harness.process.endpoints import Endpoints
from harness.shopper.client import Shopper
from harness.shopper.scenario_shop import ScenarioShop
from security.cast import PASSWORD, Caller
from security.operations import Operation, all_operations
from security.scene import APPROVED, Scene

OPERATIONS = all_operations()
LOGGED_WITHIN_S = 5.0
WEB_LOGS = {f"{service}-web.log" for service in {o.service for o in OPERATIONS}}


TAMPERED = {
    "a price of their own": {"unit_price_minor": 1},
    "nothing": {"quantity": 0},
    "less than nothing": {"quantity": -1},
    "more than an integer holds": {"quantity": 2**63},
    "more than a float holds": {"quantity": 10**400},
    "a piece of one": {"quantity": 0.5},
    "a number in words": {"quantity": "1"},
    "yes": {"quantity": True},
    "an exponent": {"quantity": 1e2},
    "a currency": {"currency": "IDR"},
    "a discount": {"discount_minor": 100},
}


@pytest.mark.parametrize("what", TAMPERED)
@pytest.mark.parametrize("path", ["/orders", "/order-quotes"])
def test_a_line_that_was_tampered_with_is_refused(scene: Scene, path: str, what: str) -> None:
    line = {"sku": scene.shelf, "quantity": 1, **TAMPERED[what]}
    person = {"email": "a@shoppers.example", "payment_method": APPROVED}
    body = {"lines": [line], **(person if path == "/orders" else {})}

    answer = scene.ask(
        "order", "POST", path, scene.cast.token(Caller.OTHER),
        content=json.dumps(body),
        headers={"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())},
    )  # fmt: skip

    assert answer.status in {400, 422}, answer.text


@pytest.mark.parametrize("total_minor", [0, 1, 500])
def test_a_total_of_their_own_is_refused(
    shop: ScenarioShop, scene: Scene, total_minor: int
) -> None:
    order = {"lines": [{"sku": scene.shelf, "quantity": 1}], "expected_total_minor": total_minor}
    person = {"email": "a@shoppers.example", "payment_method": APPROVED}

    answer = scene.ask(
        "order", "POST", "/orders", scene.cast.token(Caller.OTHER),
        json={**order, **person}, headers={"Idempotency-Key": str(uuid.uuid4())},
    )  # fmt: skip

    assert answer.status == 409
    assert answer.text.count("price-changed") == 1


# As attackers' lists have them; each means something to some interpreter behind us, or before.
TEXTS = {
    "sql": "'; DROP TABLE orders; --",
    "sql-comment": "admin'/**/OR/**/1=1#",
    "nosql": '{"$gt": ""}',
    "template": "{{7*7}}${7*7}#{7*7}<%= 7*7 %>",
    "format": "%s%s%n{0.__class__.__mro__}",
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "log-line": 'x","level":"info"} {"event":"forged_line"',
    "ansi": "[31mred",
    "shell": "$(touch /tmp/owned) `id` | cat /etc/passwd",
    "path": "../../../../etc/passwd",
    "ldap": "*)(uid=*))(|(uid=*",
    "csv": "=HYPERLINK(1;2)",
    "jndi": "${jndi:ldap://127.0.0.1/a}",
    "xml": "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
    "unicode": "\uff21\u202e\ufb01\u0301",
}  # fmt: skip


@pytest.mark.parametrize("kind", TEXTS)
def test_a_products_name_is_kept_letter_by_letter(scene: Scene, kind: str) -> None:
    sku = f"TEXT-{uuid.uuid4().hex[:12]}"
    product = {"name": TEXTS[kind], "department": "A", "category": "B", "price_minor": 100}
    staff = scene.cast.token(Caller.STAFF)

    scene.ask(
        "catalog", "PUT", f"/products/{sku}", staff,
        json=product, headers={"If-None-Match": "*"},
    ).json()  # fmt: skip

    assert scene.ask("catalog", "GET", f"/products/{sku}", None).json()["name"] == TEXTS[kind]
    found = scene.ask("catalog", "GET", f"/products?q={quote(TEXTS[kind])}", None)
    assert found.status == 200


@pytest.mark.parametrize("kind", TEXTS)
def test_a_customers_name_is_kept_letter_by_letter(shop: ScenarioShop, kind: str) -> None:
    shopper = shop.shopper("hostile")
    email = f"hostile-{uuid.uuid4().hex}@shoppers.example"
    register(shopper, email, TEXTS[kind])

    assert shopper.me()["name"] == TEXTS[kind]


def register(shopper: Shopper, email: str, name: str) -> None:
    shopper.name = name
    shopper.register(email, PASSWORD)
    shopper.log_in(email, PASSWORD)


def test_no_text_of_theirs_became_a_line_of_a_log(
    endpoints: Endpoints, shop: ScenarioShop, scene: Scene
) -> None:
    marks = [f"forged{uuid.uuid4().hex}{n}" for n in range(3)]
    for mark in marks:
        agent = {"User-Agent": mark, "X-Request-Id": mark, "traceparent": mark}
        scene.ask("catalog", "GET", f"/products?q={mark}%0d%0a{mark}", None, headers=agent)
        scene.ask("order", "GET", f"/{mark}%0a{mark}", None, headers=agent)
    logs = Path(endpoints.home) / "logs"
    last = shop.shopper("last")
    with last.checkout() as trace_id:
        last.cart()

    def logged() -> list[str]:
        return [p.text for p in output.logs(logs) if trace_id in p.text]

    eventually(logged, LOGGED_WITHIN_S, "the last request in a log")
    written = [p.text for p in output.logs(logs) if p.where.partition(":")[0] in WEB_LOGS]
    assert all(isinstance(json.loads(line), dict) for line in written)
    assert [line for line in written if any(mark in line for mark in marks)] == []


OVERSIZED = {
    "deep": ("[" * 5_000 + "]" * 5_000, {400, 413, 415, 422}),
    "long": ('{"a": "' + "a" * 1_100_000 + '"}', {413}),
    "wide": ("{" + ",".join(f'"m{n}": 1' for n in range(60_000)) + "}", {400, 413, 422}),
    "number": ('{"a": ' + "9" * 20_000 + "}", {400, 413, 422}),
    "twice": ('{"email": "a", "email": "b"}', {400}),
    "nan": ('{"a": NaN}', {400}),
    "surrogate": ('{"email": "\\ud800"}', {400}),
    "nul": ('{"email": "a\\u0000b"}', {400}),
    "bom": ("\ufeff{}", {400}),
}
PUBLIC_BODIES = [o for o in OPERATIONS if o.is_public and o.takes_body and "{" not in o.path]
JSON_BODIES = [o for o in PUBLIC_BODIES if "oauth2" not in o.path and "webhooks" not in o.path]


@pytest.mark.parametrize("shape", OVERSIZED)
@pytest.mark.parametrize("operation", JSON_BODIES, ids=lambda o: o.name)
def test_anybody_may_send_and_nothing_breaks(
    scene: Scene, operation: Operation, shape: str
) -> None:
    body, statuses = OVERSIZED[shape]

    answer = scene.ask(
        operation.service, operation.method, operation.path, None,
        content=body.encode(),
        # What was refused unread ends its connection; the next one needs another.
        headers={"Content-Type": "application/json", "Connection": "close"},
    )  # fmt: skip

    assert answer.status in statuses, answer.text[:200]
    assert answer.headers["Content-Type"] == "application/problem+json"
