"""What an application's routes have decided, and whether its contract knows them."""

import re
from collections.abc import Iterator

from flask import Flask
from werkzeug.routing import Rule

from common import auth
from common.testing.contracts import document_of

# Flask adds these to every rule that takes GET, or any method at all.
_AUTOMATIC = frozenset({"HEAD", "OPTIONS"})
# The document about the routes, and the pages to read it and its problems by, are not in it.
_ABOUT = re.compile(r"^/($|docs|problems/|openapi\.|asyncapi\.)")


def operations(app: Flask) -> Iterator[tuple[str, Rule]]:
    """``("GET /orders/{}", rule)`` for every operation; parameters have no name here."""
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - _AUTOMATIC):
            yield f"{method} {re.sub(r'<[^>]+>', '{}', rule.rule)}", rule


def undecided(app: Flask) -> list[str]:
    """Operations that are neither `auth.public` nor name the roles that may use them."""
    return [
        name
        for name, rule in operations(app)
        if auth.policy_of(app.view_functions[rule.endpoint]) is None
    ]


def contradictions(app: Flask, service: str) -> list[str]:
    """Operations that only the code has, or only the contract."""
    promised = {
        f"{method.upper()} {re.sub(r'{[^}]+}', '{}', url)}"
        for url, item in document_of(service)["paths"].items()
        for method in item
        if method in {"get", "put", "post", "delete", "patch"}
    }
    there = {name for name, rule in operations(app) if not _ABOUT.match(rule.rule)}
    return [
        *(f"only in the code: {name}" for name in sorted(there - promised)),
        *(f"only in the contract: {name}" for name in sorted(promised - there)),
    ]
