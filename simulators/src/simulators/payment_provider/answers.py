"""An answer as bytes: what goes over the wire and what the book keeps. Knows no framework."""

from dataclasses import dataclass

import orjson


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    content_type: str = "application/json"


def json_answer(body: object, status: int = 200) -> Answer:
    return Answer(status, orjson.dumps(body))
