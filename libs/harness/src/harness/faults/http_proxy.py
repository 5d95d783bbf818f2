"""Stands before a service, and does to some of its requests what the rules say.

Of a request only the head is looked at. What no rule fits goes on byte by byte, as it comes: a
stream stays a stream, a header stays as it was sent, and a request costs next to nothing. Takes
one request at a time from a connection, as clients ask that do not pipeline; ours do not.
"""

import asyncio
import contextlib
import json
from dataclasses import dataclass
from http import HTTPStatus

from harness.faults.http_rules import END_OF_HEAD, Head, HttpFault, HttpRule, HttpRulebook
from harness.faults.http_wire import READ_BYTES
from harness.faults.journal import Journal
from harness.faults.rules import Message
from harness.faults.tcp_proxy import reset

# As `common.problems` words it, and its Retry-After.
UNAVAILABLE = {"type": "/problems/unavailable", "title": "Try again shortly", "status": 503}
REFUSALS = {
    HttpFault.UNAVAILABLE: UNAVAILABLE,
    HttpFault.TOO_MANY: {"type": "about:blank", "title": "Too Many Requests", "status": 429},
}
RETRY_AFTER = "Retry-After: 1"
INTERIM = b"HTTP/1.1 1"  # E.g. 100 Continue: the answer is still to come.


class Over(Exception):
    """This connection ends here."""


@dataclass
class HttpProxy:
    """place: the service it stands before. upstream: its (host, port)."""

    place: str
    upstream: tuple[str, int]
    rules: HttpRulebook
    journal: Journal

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its first request to its end."""
        line = _Line(self, reader, writer)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(line.pass_requests(tasks))
        except* (Over, ConnectionError):
            pass
        finally:
            if line.spoilt:  # The service died over it, or was away: nothing was done to an answer.
                self.rules.give_back(line.spoilt[0], line.era)
            # Not aborted: what was said before the end still arrives, as if nobody stood between.
            for one in filter(None, (line.far, writer)):
                with contextlib.suppress(ConnectionError):
                    one.close()

    def note(self, rule: HttpRule, head: Head) -> None:
        about = [Message(self.place, subject=head.order_id)]
        self.journal.write(
            *(rule.fault, head.operation, self.place, about, rule.label), trace_id=head.trace_id
        )


@dataclass
class _Line:
    """A connection of a client's, and the one that was made for it. far: to the service.

    spoilt: what is to be done to the next answer, and to which request it is one. era: of the rules
    when that was decided.
    """

    proxy: HttpProxy
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    far: asyncio.StreamWriter | None = None
    spoilt: tuple[HttpRule, Head] | None = None
    era: int = 0

    async def pass_requests(self, tasks: asyncio.TaskGroup) -> None:
        """Raises Over at the end."""
        while True:
            raw = await self._next_head()
            try:
                head = Head(raw)
                body_bytes = head.body_bytes
            except ValueError:  # The service may say what it thinks of that.
                await self._pass_on(raw, None, tasks)
                raise Over from None
            rule = self.proxy.rules.take(self.proxy.place, head)
            if rule and rule.fault in REFUSALS:
                await self._refuse(REFUSALS[rule.fault], body_bytes, RETRY_AFTER)
                self.proxy.note(rule, head)
                continue
            if rule and rule.fault is HttpFault.RESET:
                self.proxy.note(rule, head)
                reset(self.writer)
                raise Over
            self.spoilt, self.era = (rule, head) if rule else None, self.proxy.rules.era
            await self._pass_on(raw, body_bytes, tasks)

    async def _next_head(self) -> bytes:
        """Raises Over if the client has gone; what has no end is given back as far as it came."""
        try:
            return await self.reader.readuntil(END_OF_HEAD)
        except asyncio.IncompleteReadError:
            raise Over from None
        except asyncio.LimitOverrunError as error:
            return await self.reader.readexactly(error.consumed)

    async def _pass_on(self, head: bytes, body_bytes: int | None, tasks: asyncio.TaskGroup) -> None:
        if self.far is None:
            try:
                far_reader, self.far = await asyncio.open_connection(*self.proxy.upstream)
            except ConnectionError:  # What a load balancer says of a service that is away.
                await self._refuse(UNAVAILABLE, body_bytes, "Connection: close")
                raise Over from None
            tasks.create_task(self._pass_answers(far_reader))
        self.far.write(head)
        await self._take_body(body_bytes, self.far)

    async def _take_body(self, body_bytes: int | None, to: asyncio.StreamWriter | None) -> None:
        """Raises Over if the client goes first, as it has to if nobody said how long it is."""
        left = body_bytes
        while left is None or left > 0:
            data = await self.reader.read(READ_BYTES if left is None else min(left, READ_BYTES))
            if not data:
                raise Over
            if to:
                to.write(data)
                await to.drain()
            left = None if left is None else left - len(data)

    async def _refuse(
        self, problem: dict[str, object], body_bytes: int | None, header: str
    ) -> None:
        """Raises Over if where the request ends cannot be told, or the client went away."""
        if body_bytes is not None:
            await self._take_body(body_bytes, None)
        body = json.dumps(problem)
        status = HTTPStatus(int(str(problem["status"])))
        self.writer.write(
            f"HTTP/1.1 {status} {status.phrase}\r\nContent-Type: application/problem+json\r\n"
            f"Content-Length: {len(body)}\r\n{header}\r\n\r\n{body}".encode()
        )
        await self.writer.drain()
        if body_bytes is None:
            raise Over

    async def _pass_answers(self, far_reader: asyncio.StreamReader) -> None:
        """Raises Over when the service has closed."""
        while data := await far_reader.read(READ_BYTES):
            if self.spoilt and not data.startswith(INTERIM):
                await self._spoil(*self.spoilt)
            self.writer.write(data)
            await self.writer.drain()
        raise Over

    async def _spoil(self, rule: HttpRule, head: Head) -> None:
        """Raises Over if the answer gets lost. That it is there says that the deed was done."""
        self.spoilt = None
        self.proxy.note(rule, head)  # Before the delay: whoever does not wait for it has met it.
        if rule.fault is HttpFault.LOSE_ANSWER:
            raise Over
        await asyncio.sleep(rule.delay_s)
