"""The proxies and the desk where faults are ordered: `python -m harness.faults`.

The desk speaks Toxiproxy's HTTP API for the lines (`/proxies`, `/reset`), and the like for
messages (`/rules`), HTTP requests (`/http-rules`) and what was really done (`/journal`).
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import h11
from pydantic import TypeAdapter, ValidationError

from harness.faults.http_rules import HttpRulebook, http_rule_of
from harness.faults.http_wire import Whole, Wire, answer
from harness.faults.journal import Journal
from harness.faults.message_proxy import MessageProxy
from harness.faults.rules import Rulebook, rule_of
from harness.faults.tcp_proxy import TcpProxy, Toxic


class NotThere(LookupError):
    pass


class BadOrder(ValueError):
    pass


@dataclass
class Desk:
    """rules and journal are the message proxy's, too; http_rules and journal those of services."""

    messages: MessageProxy
    lines: Mapping[str, TcpProxy]
    rules: Rulebook
    http_rules: HttpRulebook
    journal: Journal
    _routes: Mapping[tuple[str, str], Callable[..., Awaitable[Any]]] = field(init=False)

    def __post_init__(self) -> None:
        self._routes = {
            ("GET", "healthz"): self._say_well,
            ("GET", "proxies"): self._list_lines,
            ("POST", "proxies"): self._change_line,
            ("DELETE", "proxies"): self._remove_toxic,
            ("POST", "reset"): self._reset,
            ("GET", "rules"): self._list_rules,
            ("POST", "rules"): self._add_rule,
            ("GET", "http-rules"): self._list_http_rules,
            ("POST", "http-rules"): self._add_http_rule,
            ("GET", "journal"): self._tell,
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Wire(reader, writer, h11.SERVER)
        try:
            while (request := await client.receive()) is not None:
                await client.send(await self._answer(request))
                if not client.next_cycle():
                    break
        except (ConnectionError, h11.RemoteProtocolError):
            client.abort()
        finally:
            writer.close()

    async def _answer(self, request: Whole) -> Whole:
        assert isinstance(request.head, h11.Request)
        url = urlsplit(request.head.target.decode())
        first, *rest = url.path.strip("/").split("/")
        route = self._routes.get((request.head.method.decode(), first))
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        try:
            if route is None:
                raise NotThere(f"{request.head.method.decode()} {url.path}")
            body = await route(rest, request.body, query)
        except NotThere as error:
            return _json(404, {"error": f"not found: {error}"})
        except (BadOrder, ValidationError) as error:
            return _json(400, {"error": str(error)})
        return _json(200, body)

    async def _say_well(self, *_: Any) -> Any:
        return {"status": "ok"}

    async def _list_lines(self, *_: Any) -> Any:
        return {name: line.to_json() for name, line in self.lines.items()}

    async def _change_line(self, path: list[str], body: bytes, _: Any) -> Any:
        line = self._line(path)
        if path[1:] == ["toxics"]:
            toxic = TypeAdapter(Toxic).validate_json(body)
            line.add(toxic)
            return TypeAdapter(Toxic).dump_python(toxic, mode="json")
        wanted = TypeAdapter(dict[str, bool]).validate_json(body)
        if wanted.keys() != {"enabled"}:
            raise BadOrder("a proxy has `enabled` to change")
        was_enabled = line.enabled
        if wanted["enabled"]:
            await line.enable()
        else:
            line.disable()
        return line.to_json() | {"was_enabled": was_enabled}

    async def _remove_toxic(self, path: list[str], *_: Any) -> Any:
        line = self._line(path)
        if len(path) != 3 or path[1] != "toxics" or path[2] not in line.toxics:
            raise NotThere("/".join(path))
        line.remove(path[2])
        return line.to_json()

    async def _reset(self, *_: Any) -> Any:
        self.rules.clear()
        self.http_rules.clear()
        for line in self.lines.values():
            await line.reset()
        return {}

    async def _list_rules(self, *_: Any) -> Any:
        return {"rules": self.rules.unused()}

    async def _add_rule(self, _: Any, body: bytes, __: Any) -> Any:
        self.rules.add(rule_of(body))
        return {}

    async def _list_http_rules(self, *_: Any) -> Any:
        return {"rules": self.http_rules.unused()}

    async def _add_http_rule(self, _: Any, body: bytes, __: Any) -> Any:
        self.http_rules.add(http_rule_of(body))
        return {}

    async def _tell(self, _: Any, __: Any, query: Mapping[str, str]) -> Any:
        after = query.get("after", "0")
        if not after.isdecimal():
            raise BadOrder("after: the number of an entry")
        return {"entries": self.journal.to_json(int(after)), "held": self.messages.held()}

    def _line(self, path: list[str]) -> TcpProxy:
        if not path or path[0] not in self.lines:
            raise NotThere("/".join(path) or "a proxy's name")
        return self.lines[path[0]]


def _json(status: int, body: Any) -> Whole:
    return answer(status, "application/json", json.dumps(body).encode())
