"""What the seven contracts say can be asked of the shop. Reads them; asks nothing."""

import re
from dataclasses import dataclass
from typing import Any

from harness import stack
from harness.contracts.lock import contracts

METHODS = ("get", "put", "post", "delete", "patch")
PARAMETER = re.compile(r"{([^}]+)}")
# A shopper's, staff's or service's access token; other schemes bring credentials of their own.
BEARER = "bearer"


@dataclass(frozen=True, slots=True)
class Operation:
    """path: as the contract writes it, with the names of its parameters."""

    service: str
    method: str
    path: str
    takes_body: bool
    is_public: bool

    @property
    def name(self) -> str:
        """The same however a parameter is called: ``order GET /orders/{}``."""
        return f"{self.service} {self.method} {self.filled('{}')}"

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(PARAMETER.findall(self.path))

    def filled(self, value: str) -> str:
        """The path with *value* for each of its parameters."""
        return PARAMETER.sub(lambda _: value, self.path)


def all_operations() -> list[Operation]:
    """Every operation of every contract, in the contracts' order."""
    return [
        Operation(
            service=service,
            method=method.upper(),
            path=path,
            takes_body="requestBody" in item[method],
            is_public=_is_public(document, item[method]),
        )
        for service, document in contracts(stack.repository())
        for path, item in document["paths"].items()
        for method in item
        if method in METHODS
    ]


def _is_public(document: dict[str, Any], operation: dict[str, Any]) -> bool:
    schemes = operation.get("security", document.get("security", []))
    return not any(BEARER in scheme for scheme in schemes)
