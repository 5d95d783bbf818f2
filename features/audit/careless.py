"""A shopper who tells everybody everything: secrets where they belong, and where they do not.

Keeps what was answered. Asserts only that what has to work does, so that there is something to see.
"""

import base64
import json
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from harness.audit.canaries import Canary, Passage
from harness.eventually import eventually
from harness.process.home import Home
from harness.shopper.client import Line, Shopper, ShopRefused
from harness.shopper.scenario_shop import ScenarioShop
from harness.topology import messaging
from harness.topology.redrive import look
from security.operations import all_operations

# Where a person's address belongs: in what is sent to them, and where it is kept to be sent.
ADDRESS_BOOKS = frozenset(
    {"mail", "event of auth-events", "event of order-events"}
    | {f"table of {service}" for service in ("auth", "order", "notification")}
)
CARD_LENGTH = 16
QUERIES = (("catalog", "/products"), ("order", "/orders"), ("cart", "/cart"))
WITHIN_S = 30.0


def card_number(prefix: str = "4929") -> str:
    """A number that no other run has and that passes Luhn (ISO/IEC 7812-1 annex B)."""
    digits = prefix + str(uuid.uuid4().int)[: CARD_LENGTH - 1 - len(prefix)]
    doubled = (int(d) * (2 - i % 2) for i, d in enumerate(digits))
    total = sum(number - 9 * (number > 9) for number in doubled)
    return digits + str(-total % 10)


class Careless:
    """One such shopper, with the secrets of the shop that they meet."""

    def __init__(self, shop: ScenarioShop) -> None:
        mark = uuid.uuid4().hex
        self.shop, self.endpoints = shop, shop.endpoints
        self.email = f"canary-{mark}@shoppers.example"
        self.password = f"pass-{mark} Word"
        self.wrong_password = f"wrong-{mark} Word"
        self.card = card_number()
        self.bearer = f"bearer-{mark}"
        self.noise = f"noise-{mark}"
        self.shopper: Shopper = shop.shopper("careless")
        self.tokens: dict[str, str] = {}
        self.answers: list[Passage] = []
        self._http = httpx.Client(timeout=10.0)

    def canaries(self) -> list[Canary]:
        """Everything that nobody may be told; call it when all is done."""
        home = Home(Path(self.endpoints.home))
        settings = json.loads((home.path / "secrets.json").read_text())
        return [
            Canary("e-mail", self.email, ADDRESS_BOOKS),
            Canary("password", self.password),
            Canary("wrong password", self.wrong_password),
            Canary("card number", self.card),
            Canary("refused Authorization", self.bearer),
            Canary("what a malformed event says", self.noise, frozenset({"dead letter"})),
            *(Canary(name, token) for name, token in self.tokens.items()),
            *(Canary(f"setting {name}", secret) for name, secret in settings.items()),
        ]

    def do_everything(self, sku: str) -> None:
        self.sign_in()
        self.buy(sku)
        self.type_card_number_everywhere(sku)
        self.be_refused_everywhere()
        self.type_secrets_into_addresses()
        self.send_malformed_event()

    def sign_in(self) -> None:
        self.shopper.register(self.email, self.password)
        self._refused_login(self.wrong_password)
        self.shopper.log_in(self.email, self.password)
        self._remember("first")
        self.shopper.refresh()
        self._remember("second")
        self.shopper.me()

    def buy(self, sku: str) -> None:
        """Orders that are paid, declined, beyond the stock, and that need the bank."""
        outcomes = {
            method: self._order(sku, quantity, method)
            for method, quantity in {
                "pm_ok": 1, "pm_declined": 1, "pm_processing_error": 1, "pm_3ds_ignored": 1,
            }.items()
        }  # fmt: skip
        outcomes["beyond the stock"] = self._order(sku, 90, "pm_ok")
        waiting = outcomes.pop("pm_3ds_ignored")
        eventually(lambda: self.shopper.order(waiting)["next_action"], WITHIN_S, "the bank")
        self.shopper.cancel(waiting)
        statuses = {
            name: self.shop.settled(self.shopper, order_id)["status"]
            for name, order_id in outcomes.items()
        }
        self.shop.settled(self.shopper, waiting)
        assert statuses.pop("pm_ok") == "confirmed"
        assert set(statuses.values()) == {"cancelled"}, statuses

    def type_card_number_everywhere(self, sku: str) -> None:
        """Into each path that takes a value, each member of a body, a query, a key: refused for
        what it is, everywhere, and nothing of it is kept.
        """
        for name, answer in self._answers_to_card_numbers(sku):
            assert answer.status_code == 422, f"{name}: {answer.status_code} {answer.text}"
            assert answer.json()["type"].endswith("/problems/card-number-refused"), name

    def _answers_to_card_numbers(self, sku: str) -> Iterator[tuple[str, httpx.Response]]:
        for operation in all_operations():
            if operation.parameters:
                path = operation.filled(self.card)
                answer = self._ask(operation.service, operation.method, path)
                yield f"{operation.method} {operation.path} of {operation.service}", answer
        line = {"sku": sku, "quantity": 1}
        order = {"lines": [line], "email": self.email, "payment_method": "pm_ok"}
        grouped = " ".join(self.card[i : i + 4] for i in range(0, CARD_LENGTH, 4))
        person = {"email": f"second-{self.email}", "password": self.password, "name": "Ada"}
        bodies: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Mapping[str, Any]]]] = {
            "order POST /orders": (
                order,
                {
                    "payment_method": {"payment_method": self.card},
                    "payment token": {"payment_method": f"pm_{self.card}"},
                    "email": {"email": f"{self.card}@shoppers.example"},
                    "sku": {"lines": [{"sku": self.card, "quantity": 1}]},
                    "total": {"expected_total_minor": int(self.card)},
                    "another member": {"card_number": self.card},
                    "a member's name": {self.card: "visa"},
                    "note": {"note": grouped},
                },
            ),
            "cart PUT /cart": ({"lines": [line]}, {"sku": {"lines": [{**line, "sku": self.card}]}}),
            "auth POST /register": (
                person,
                {"name": {"name": f"Ada {grouped}"}, "password": {"password": self.card}},
            ),
            "auth POST /login": (person, {"email": {"email": f"{self.card}@shoppers.example"}}),
        }
        for operation, (fine, wrongs) in bodies.items():
            for place, wrong in wrongs.items():
                yield f"{operation}, {place}", self._ask(*operation.split(), json={**fine, **wrong})
        for service, path in QUERIES:
            answer = self._ask(service, "GET", f"{path}?{urlencode({'q': grouped})}")
            yield f"{service} GET {path}?q", answer
        yield "Idempotency-Key", self._ask("order", "POST", "/orders", json=order, key=self.card)

    def be_refused_everywhere(self) -> None:
        """Each operation with an Authorization that does not hold, and as no JSON at all."""
        basic = base64.b64encode(f"order:{self.bearer}".encode()).decode()
        for operation in all_operations():
            path = operation.path.replace("{", "").replace("}", "")
            for authorization in (f"Bearer {self.bearer}", f"Basic {basic}", self.bearer):
                headers = {
                    "Authorization": authorization,
                    "Content-Type": "application/json",
                    "Provider-Signature": f"t=1,v1={self.bearer}",
                    "baggage": f"email={self.email}",
                }
                broken = f'{{"password": "{self.password}", "refresh_token": "{self.bearer}"'
                self._send(operation.service, operation.method, path, headers, content=broken)

    def type_secrets_into_addresses(self) -> None:
        """People paste into search fields; programs put tokens into queries (RFC 6750 §2.3)."""
        for service, path in QUERIES:
            for secret in (self.card, self.email, self.password, self.bearer):
                query = {"q": secret, "customer_id": secret, "access_token": secret}
                self._ask(service, "GET", f"{path}?{urlencode(query)}")

    def send_malformed_event(self) -> None:
        """To the queue of every service; each puts it where people look."""
        sqs = messaging.sqs(self.endpoints.aws_endpoint_url)
        bodies = [
            f'{{"id": "{self.noise}", "type": "order.placed"',
            json.dumps({"id": str(uuid.uuid4()), "type": self.noise, "data": {"x": self.noise}}),
        ]
        before = {name: self._letters(name) for name in self.endpoints.queue_urls}
        for url in self.endpoints.queue_urls.values():
            for body in bodies:
                sqs.send_message(QueueUrl=url, MessageBody=body)
        for name, already in before.items():
            eventually(
                lambda name=name, already=already: self._letters(name) >= already + len(bodies),
                WITHIN_S,
                f"the malformed events in {name}'s dead letters",
            )

    def tidy_up(self) -> None:
        """Others look for dead letters too."""
        sqs = messaging.sqs(self.endpoints.aws_endpoint_url)
        for url in self.endpoints.dead_letter_queue_urls.values():
            sqs.purge_queue(QueueUrl=url)
        self._http.close()

    def _letters(self, queue: str) -> int:
        url = self.endpoints.dead_letter_queue_urls[queue]
        return len(look(self.endpoints.aws_endpoint_url, url))

    def _order(self, sku: str, quantity: int, method: str) -> str:
        placed = self.shopper.place_order(
            [Line(sku, quantity)], email=self.email, payment_method=method
        )
        return str(placed["id"])

    def _refused_login(self, password: str) -> None:
        try:
            self.shopper.log_in(self.email, password)
        except ShopRefused as refused:
            self.answers.append(Passage("error", "POST /login", str(refused.problem)))
        else:
            raise AssertionError("a wrong password was taken")

    def _remember(self, which: str) -> None:
        self.tokens |= {
            f"{which} refresh token": self.shopper.refresh_token,
            f"{which} access token": self.shopper.access_token,
        }

    def _ask(
        self, service: str, method: str, path: str, *, key: str = "", **body: Any
    ) -> httpx.Response:
        headers = {
            "Authorization": f"Bearer {self.shopper.access_token}",
            "Idempotency-Key": key or str(uuid.uuid4()),
        }
        return self._send(service, method, path, headers, **body)

    def _send(
        self, service: str, method: str, path: str, headers: Mapping[str, str], **body: Any
    ) -> httpx.Response:
        url = self.endpoints.services[service] + path
        answer = self._http.request(method, url, headers=headers, **body)
        if answer.is_error:
            text = f"{dict(answer.headers)} {answer.text}"
            self.answers.append(Passage("error", f"{service} {method} {path}", text))
        return answer
