"""A neighbour that is asked over HTTP: stated time-outs, few retries, our own token.

What its answers mean, whoever asks says: each service has models of what it reads of them.
"""

from collections.abc import Sequence
from typing import Final, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from common.auth import ServiceTokenUnavailable
from common.retries import NotNow, Retries

# On one network a connection takes a millisecond; the kernel repeats a lost SYN only after 1 s.
CONNECT_TIMEOUT_S: Final = 0.25
CONNECTIONS: Final = 8  # as many as a web process has threads

Answer = TypeVar("Answer", bound=BaseModel)


class NoAnswer(Exception):
    """The neighbour did not answer, or not in the form it promises."""


class Neighbour:
    """One question that only reads, so that it may be sent again.

    name: the neighbour's, in figures. url: of the question. auth: how this service says who it is.
    client: for tests, one over a transport of their own.
    """

    def __init__(
        self,
        name: str,
        url: str,
        read_timeout_s: float,
        auth: httpx.Auth | None,
        client: httpx.Client | None = None,
    ) -> None:
        self._url = url
        self._retries = Retries(name)
        self._http = client or httpx.Client(
            auth=auth,
            timeout=httpx.Timeout(read_timeout_s, connect=CONNECT_TIMEOUT_S),
            limits=httpx.Limits(max_connections=CONNECTIONS),
        )

    def ask(self, skus: Sequence[str], answer: type[Answer]) -> Answer:
        """skus: 1-200, unique. Raises NoAnswer."""
        asked = {"skus": list(skus)}
        try:
            response = self._retries.send(
                self._http, "POST", self._url, repeatable=True, json=asked
            )
            return answer.model_validate_json(response.raise_for_status().content)
        except (NotNow, httpx.HTTPError, ValidationError, ServiceTokenUnavailable) as error:
            raise NoAnswer from error
