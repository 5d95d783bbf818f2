"""A request for every operation that would be granted to whoever may make it.

An operation that takes neither a body nor what is ended by it needs no recipe: its path is filled
with the owner's belongings.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from security.cast import PASSWORD, Caller, client_credentials
from security.operations import Operation
from security.scene import APPROVED, Belongings, Scene

Request = dict[str, Any]  # What httpx takes: json, content, headers, data.


class NoRecipe(AssertionError):
    """An operation whose row in the table nobody has thought of yet."""


def _nothing(_: Scene, __: Caller) -> Request:
    return {}


def _the_same(scene: Scene) -> Belongings:
    return scene.belongings


@dataclass(frozen=True, slots=True)
class Recipe:
    """request: of one caller. belongings: made once for all callers of the operation.

    spends_token: the log-in or its password is gone afterwards, so everybody comes with a new one.
    proof: instead of a token, for an operation that believes no token at all.
    """

    request: Callable[[Scene, Caller], Request] = _nothing
    belongings: Callable[[Scene], Belongings] = _the_same
    spends_token: bool = False
    proof: str = ""


def of(operation: Operation) -> Recipe:
    """Raises NoRecipe."""
    found = RECIPES.get(operation.name)
    if found:
        return found
    if operation.takes_body or operation.method == "DELETE":
        raise NoRecipe(f"{operation.name}: say in {__name__} what a granted request looks like")
    return Recipe()


def body(content: Mapping[str, Any], **headers: str) -> Callable[[Scene, Caller], Request]:
    return lambda _, __: {"json": dict(content), "headers": headers}


def with_key(request: Callable[[Scene, Caller], Request]) -> Callable[[Scene, Caller], Request]:
    """The same with an Idempotency-Key that nobody has used."""

    def keyed(scene: Scene, caller: Caller) -> Request:
        made = request(scene, caller)
        headers = {**made.get("headers", {}), "Idempotency-Key": str(uuid.uuid4())}
        return made | {"headers": headers}

    return keyed


def _lines(scene: Scene, _: Caller) -> Request:
    return {"json": {"lines": [{"sku": scene.shelf, "quantity": 1}]}}


def _order(scene: Scene, caller: Caller) -> Request:
    # Not of the shelf: what was bought leaves the cart, by and by.
    line = {"sku": scene.spare, "quantity": 1}
    email = f"{caller.replace(' ', '-')}@shoppers.example"
    return {"json": {"lines": [line], "email": email, "payment_method": APPROVED}}


def _product(scene: Scene, _: Caller) -> Request:
    product = {"name": "Mug", "department": "A", "category": "B", "price_minor": 500}
    return {"json": product, "headers": {"If-Match": scene.etag(scene.shelf)}}


def _import(_: Scene, __: Caller) -> Request:
    product = {
        "sku": f"JSON-{uuid.uuid4().hex[:8]}", "name": "Mug", "department": "A", "category": "B",
        "price_minor": 100, "currency": "USD",
    }  # fmt: skip
    return {"json": {"products": [product]}}


def _password(_: Scene, __: Caller) -> Request:
    return {"json": {"current_password": PASSWORD, "new_password": "another horse altogether"}}


def _credentials(scene: Scene, _: Caller) -> Request:
    return {"json": {"email": scene.cast.owner.email, "password": PASSWORD}}


def _newcomer(_: Scene, __: Caller) -> Request:
    email = f"newcomer-{uuid.uuid4().hex}@shoppers.example"
    return {"json": {"email": email, "password": PASSWORD, "name": "New"}}


def _grant(scene: Scene, _: Caller) -> Request:
    return {
        "data": {"grant_type": "client_credentials"},
        "headers": {"Authorization": client_credentials(scene.shop.endpoints)},
    }


def _with_a_return(scene: Scene) -> Belongings:
    order_id = scene.paid_order()
    return scene.having(order_id=order_id, return_id=scene.wish_return(order_id, scene.spare))


def _return_line(scene: Scene, _: Caller) -> Request:
    return {"json": {"lines": [{"sku": scene.spare, "quantity": 1}], "reason": "unwanted"}}


def _of_the_shelf(scene: Scene) -> Belongings:
    return scene.having(sku=scene.shelf)


def _another_paid_order(scene: Scene) -> Belongings:
    return scene.having(order_id=scene.paid_order())


RECIPES: dict[str, Recipe] = {
    "auth POST /register": Recipe(_newcomer),
    "auth POST /login": Recipe(_credentials),
    "auth POST /token/refresh": Recipe(
        lambda scene, _: {"json": {"refresh_token": scene.cast.refresh_token()}}
    ),
    "auth POST /logout": Recipe(spends_token=True),
    "auth DELETE /sessions/{}": Recipe(
        belongings=lambda scene: scene.having(session_id=scene.another_session())
    ),
    "auth PUT /me/password": Recipe(_password, spends_token=True),
    "auth POST /guest-tokens": Recipe(body({})),
    "auth POST /oauth2/token": Recipe(_grant, proof="client credentials by HTTP Basic"),
    "cart PUT /cart": Recipe(_lines),
    "cart DELETE /cart": Recipe(),
    "cart PUT /cart/lines/{}": Recipe(body({"quantity": 1}), _of_the_shelf),
    "cart PATCH /cart/lines/{}": Recipe(with_key(body({"add": 1})), _of_the_shelf),
    "cart DELETE /cart/lines/{}": Recipe(belongings=_of_the_shelf),
    "cart POST /cart/merge": Recipe(
        with_key(lambda scene, _: {"json": {"guest_token": scene.guest_token()}})
    ),
    "cart PUT /cart/accepted-prices": Recipe(
        lambda scene, _: {"json": {"prices": [{"sku": scene.shelf, "unit_price_minor": 500}]}}
    ),
    "catalog PUT /products/{}": Recipe(_product, _of_the_shelf),
    "catalog DELETE /products/{}": Recipe(
        belongings=lambda scene: scene.having(sku=scene.scarce_product())
    ),
    "catalog POST /quotes": Recipe(lambda scene, _: {"json": {"skus": [scene.sku]}}),
    "catalog POST /product-imports": Recipe(with_key(_import)),
    "inventory POST /stock/queries": Recipe(lambda scene, _: {"json": {"skus": [scene.sku]}}),
    "inventory POST /stock/receipts": Recipe(with_key(_lines)),
    "inventory POST /stock/adjustments": Recipe(
        with_key(lambda scene, _: {"json": {"sku": scene.shelf, "delta": -1, "note": "counted"}})
    ),
    "notification POST /messages/{}/resend": Recipe(
        with_key(_nothing),
        lambda scene: scene.having(id=scene.mail(scene.paid_order())),
    ),
    "notification DELETE /suppressions/{}": Recipe(
        belongings=lambda scene: scene.having(id=scene.suppression())
    ),
    "notification PUT /preferences": Recipe(
        body({"language": "es", "mails": {"requested_cancellations": True}}, **{"If-Match": "*"})
    ),
    "order POST /orders": Recipe(with_key(_order)),
    "order POST /order-quotes": Recipe(_lines),
    "order POST /orders/{}/cancellation": Recipe(
        belongings=lambda scene: scene.having(order_id=scene.pending_order())
    ),
    "order POST /orders/{}/returns": Recipe(with_key(_return_line), _another_paid_order),
    "order POST /orders/{}/returns/{}/receipt": Recipe(body({}), _with_a_return),
    "payment POST /payments/{}/refunds": Recipe(
        with_key(body({"amount_minor": 1, "reason": "a gesture"})),
        _another_paid_order,
    ),
    "payment POST /webhooks/payment-provider": Recipe(
        body({}), proof="the provider's signature, which is missing here"
    ),
}
