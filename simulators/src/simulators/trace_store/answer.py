"""What the trace store answers to a request: a value, and how WSGI sends it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson

JSON = "application/json"
HTML = "text/html; charset=utf-8"

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]
WSGIApp = Callable[[Environ, StartResponse], Iterable[bytes]]


@dataclass(frozen=True)
class Answer:
    body: bytes
    content_type: str = JSON
    status: HTTPStatus = HTTPStatus.OK
    headers: tuple[tuple[str, str], ...] = ()

    def send(self, start_response: StartResponse) -> list[bytes]:
        start_response(
            f"{self.status.value} {self.status.phrase}",
            [
                ("Content-Type", self.content_type),
                ("Content-Length", str(len(self.body))),
                *self.headers,
            ],
        )
        return [self.body]


def json_answer(content: object, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    return Answer(orjson.dumps(content), status=status)


HEALTHY = json_answer({"status": "ok"})
