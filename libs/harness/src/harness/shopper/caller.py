"""Asks the shop one thing at a time and hands back what it said, yes or no. Retries nothing.

`client.Shopper` is for those who want something done; this is for those who want the answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True, slots=True)
class Answer:
    """body: the JSON object of the answer, `items` of a list; empty if there was none.

    etag: the version of what was read or written, if the shop says one.
    """

    status: int
    body: Mapping[str, Any]
    etag: str = ""
    retry_after_s: int = 0

    @property
    def refusal(self) -> str:
        """Why not: the last part of the problem's type, e.g. ``price-changed``; empty for a yes."""
        if self.status < httpx.codes.BAD_REQUEST:
            return ""
        return str(self.body.get("type", "")).rpartition("/")[2] or str(self.status)

    def expect(self) -> Mapping[str, Any]:
        """The body. Raises AssertionError, with what was said, if it was a no."""
        assert not self.refusal, f"{self.status} {dict(self.body)}"
        return self.body


class Caller:
    """Somebody with a token, or without one; services: the base URL of each.

    token: asked for at every call, because people sign in, and out, meanwhile.
    """

    def __init__(
        self, services: Mapping[str, str], http: httpx.Client, token: Callable[[], str] = str
    ) -> None:
        self.services = services
        self.http = http
        self._token = token

    def ask(
        self,
        method: str,
        service: str,
        path: str,
        *,
        json: Any = None,
        etag: str = "",
        key: str = "",
        query: Mapping[str, Any] | None = None,
    ) -> Answer:
        """etag: of what is to be changed, or not at all. key: the same for every repetition.

        Raises httpx's errors when there is no answer.
        """
        headers = self.headers() | ({"If-Match": etag} if etag else {})
        headers |= {"Idempotency-Key": key} if key else {}
        url = self.services[service] + path
        return read(self.http.request(method, url, json=json, headers=headers, params=query))

    def headers(self) -> dict[str, str]:
        token = self._token()
        return {"Authorization": f"Bearer {token}"} if token else {}


def read(response: httpx.Response) -> Answer:
    body = response.json() if response.content else {}
    return Answer(
        response.status_code,
        body if isinstance(body, dict) else {"items": body},
        response.headers.get("ETag", ""),
        int(response.headers.get("Retry-After", 0)),
    )
