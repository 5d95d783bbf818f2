"""JSON in and out, strictly: what two parsers could read differently is refused.

RFC 8259 leaves duplicate names, NaN and lone surrogates to the parser; a gateway and a service
that decide differently can be played against one another, so neither gets to decide here.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn, TypeVar

import orjson
from flask import Response, request
from pydantic import BaseModel, BeforeValidator, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from common.card_numbers import refuse_card_numbers
from common.errors import Malformed, UnsupportedMediaType

# Deeper than any of our models (four), shallow enough for every recursive reader.
DEPTH_MAX: Final = 32
# A string that is never closed is one token, too: else each quote within it would be tried anew.
_BRACKETS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)

# Not the six characters of a text about it, whose backslash is doubled.
_NUL: Final = re.compile(r"(?<!\\)(?:\\\\)*+\\u0000")

Model = TypeVar("Model", bound=BaseModel)


class MalformedJson(Malformed):
    title = "The body is not JSON as we take it"


class JsonExpected(UnsupportedMediaType):
    title = "The body has to be application/json"


def read(model: type[Model]) -> Model:
    """The current request's body as *model*.

    Raises JsonExpected, CardNumberRefused before anything of it could reach a log or a table,
    MalformedJson, and pydantic's ValidationError, which becomes a 400 with a pointer to each fault.
    """
    if request.mimetype != "application/json":
        raise JsonExpected("send Content-Type: application/json")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise JsonExpected(
            "compressed bodies are not taken"
        )  # A small one may unpack to a huge one.
    body = request.get_data()
    refuse_card_numbers(body.decode(errors="replace"))
    check(body)
    return model.model_validate_json(body)


def read_query(model: type[Model]) -> Model:
    """The current request's query as *model*; a name that comes twice is as wrong as an unknown
    one, because whoever stands before us may read the other.

    Raises pydantic's ValidationError, which becomes a 400 with a pointer to each fault.
    """
    twice = [name for name, values in request.args.lists() if len(values) > 1]
    if twice:
        error = PydanticCustomError("repeated", "given more than once")
        faults = [InitErrorDetails(type=error, loc=(name,), input=None) for name in twice]
        raise ValidationError.from_exception_data(model.__name__, faults)
    return model.model_validate(request.args.to_dict())


def _digits(raw: Any) -> Any:
    if isinstance(raw, str) and not (raw.isascii() and raw.isdigit()):
        raise ValueError("digits are needed")
    return raw


# For a number of a query, the last of its annotations. Pydantic alone would also take `5.0`, `+5`,
# ` 5`, `5_0` and other scripts' digits, which whoever stands before us may read otherwise.
DIGITS: Final = BeforeValidator(_digits)


def check(body: bytes) -> None:
    """Raises MalformedJson for what parsers disagree about: see the module's docstring."""
    if body.count(b"[") + body.count(b"{") > DEPTH_MAX:
        _check_depth(body)
    try:
        text = body.decode()
        json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedJson(_reason(error)) from error
    if r"\u" in text:
        _check_escapes(text)
    elif "\x00" in text:
        raise MalformedJson("it holds a NUL character")


def answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """*body* (a pydantic model, a dataclass, a dict or a list) as a JSON response."""
    content = body.model_dump_json().encode() if isinstance(body, BaseModel) else orjson.dumps(body)
    return Response(content, status, headers=headers, content_type="application/json")


def _check_depth(body: bytes) -> None:
    depth = 0
    for token in _BRACKETS.finditer(body):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(token.group(), 0)
        if depth > DEPTH_MAX:
            raise MalformedJson(f"it nests deeper than {DEPTH_MAX}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name occurs twice in one object")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _check_escapes(text: str) -> None:
    """Escaped NUL and lone surrogates: legal to write, impossible to store."""
    plain = json.dumps(json.loads(text), ensure_ascii=False)
    if _NUL.search(plain):
        raise MalformedJson("it holds a NUL character")
    try:
        plain.encode()
    except UnicodeEncodeError as error:
        raise MalformedJson("it holds half a surrogate pair") from error


def _reason(error: Exception) -> str:
    """What is wrong, without the words of the body."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos}"
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 at byte {error.start}"
    return str(error) if isinstance(error, ValueError) else "it nests too deep"
