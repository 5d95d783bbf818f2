"""What a request may say. Parses and bounds; decides nothing."""

from typing import Annotated, Final, TypeVar

from common import auth, bodies, etags
from flask import request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from cart.domain import LINES_MAX, QUANTITY_MAX, SKU_PATTERN, Line, Owner
from cart.use_cases import Shopper

# Ten million in a currency with two decimals: more than anything here costs.
PRICE_MINOR_MAX: Final = 1_000_000_000
# As long as a token that is verified at all.
TOKEN_CHARS_MAX: Final = 8192
# A full cart with the longest SKUs takes 22 KiB; this one is indented generously.
BODY_BYTES_MAX: Final = 64 * 1024

Model = TypeVar("Model", bound=BaseModel)

Sku = Annotated[str, StringConstraints(pattern=f"^{SKU_PATTERN}$")]
Quantity = Annotated[int, Field(strict=True, ge=1, le=QUANTITY_MAX)]


def _not_zero(quantity: int) -> int:
    if quantity == 0:
        raise ValueError("nothing is added by 0")
    return quantity


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class QuantityIn(_In):
    quantity: Quantity


class AdditionIn(_In):
    add: Annotated[
        int, Field(strict=True, ge=-QUANTITY_MAX, le=QUANTITY_MAX), AfterValidator(_not_zero)
    ]


class LineIn(QuantityIn):
    sku: Sku


class PriceIn(_In):
    sku: Sku
    unit_price_minor: Annotated[int, Field(strict=True, ge=1, le=PRICE_MINOR_MAX)]


def _unique_by_sku(lines: list[LineIn]) -> list[LineIn]:
    _refuse_twice([line.sku for line in lines])
    return lines


def _prices_unique_by_sku(prices: list[PriceIn]) -> list[PriceIn]:
    _refuse_twice([price.sku for price in prices])
    return prices


def _refuse_twice(skus: list[str]) -> None:
    if len(set(skus)) != len(skus):
        raise ValueError("each SKU only once")


class CartIn(_In):
    lines: Annotated[list[LineIn], Field(max_length=LINES_MAX), AfterValidator(_unique_by_sku)]

    def to_lines(self) -> tuple[Line, ...]:
        return tuple(Line(line.sku, line.quantity) for line in self.lines)


class PricesIn(_In):
    prices: Annotated[
        list[PriceIn], Field(max_length=LINES_MAX), AfterValidator(_prices_unique_by_sku)
    ]


class MergeIn(_In):
    guest_token: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+$", max_length=TOKEN_CHARS_MAX)
    ]


class _Path(BaseModel):
    sku: Sku


def read_body(model: type[Model]) -> Model:
    """Raises what `common.bodies.read` does, and 413 for a body over BODY_BYTES_MAX."""
    request.max_content_length = BODY_BYTES_MAX
    return bodies.read(model)


def read_sku(path: str) -> str:
    """Raises pydantic's ValidationError: no such path is malformed, not merely not found."""
    return _Path(sku=path).sku


def read_version() -> int | None:
    """The version in If-Match. Raises MalformedEtag."""
    return etags.expected(request.headers.get("If-Match"))


def read_shopper() -> Shopper:
    """Whose cart the request is about: the caller's own."""
    caller = auth.caller()
    return Shopper(caller.id, Owner(caller.role))
