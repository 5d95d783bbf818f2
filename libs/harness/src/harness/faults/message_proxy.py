"""Stands between the shop and SNS and SQS, and does to some messages what the rules say."""

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import h11
import psutil

from harness.faults import aws_calls, journal
from harness.faults.aws_calls import Call
from harness.faults.http_wire import PeerGone, Whole, Wire, answer, with_length
from harness.faults.journal import Journal
from harness.faults.rules import HELD_MAX_S, KILLS, Fault, Message, Operation, Rule, Rulebook
from harness.process import control

# A queue that was asked for a message may be deleted long after; more are never under way.
RECEIPTS_MAX = 10_000
REFUSAL = b'{"__type": "ServiceUnavailable", "message": "planted: refused"}'
# What comes after a deed, and so not after one that was refused.
AFTERWARDS = frozenset({Fault.DUPLICATE, Fault.LOSE_ANSWER, Fault.KILL_AFTER})
# Of published messages by themselves; else a request is spoilt as a whole.
OF_ENTRIES = frozenset({Fault.DROP, Fault.GARBLE, Fault.REFUSE_ENTRY})
# A restart of the queues takes seconds.
RELEASED_WITHIN_S, ASK_AGAIN_S = 30.0, 0.2

OK = 200


class Cut(Exception):
    """Close the connection without an answer."""


@dataclass
class Held:
    """A request that the shop believes done. until: the type of the event it waits for."""

    request: Whole
    call: Call
    until: str
    go_on: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class MessageProxy:
    """upstream: (host, port) of the emulator.

    visibility_timeout_s: what every receive asks for, so that what was lost comes again soon.
    """

    upstream: tuple[str, int]
    rules: Rulebook
    journal: Journal
    visibility_timeout_s: int
    _receipts: "OrderedDict[str, Message]" = field(default_factory=OrderedDict)
    _held: list[Held] = field(default_factory=list)
    _tasks: "set[asyncio.Task[None]]" = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the shop's, from its first request to its end."""
        client = Wire(reader, writer, h11.SERVER)
        upstream: Wire | None = None
        try:
            while (request := await client.receive()) is not None:
                upstream = upstream or await self._connect()
                said = await self._unless_gone(client, self._handle(request, upstream))
                await client.send(said)
                if not upstream.next_cycle():
                    upstream.abort()
                    upstream = None
                if not client.next_cycle():
                    break
        except (Cut, ConnectionError, h11.RemoteProtocolError):
            client.abort()
        finally:
            if upstream:
                upstream.abort()
            with contextlib.suppress(ConnectionError):
                writer.close()
                await writer.wait_closed()

    def held(self) -> int:
        """How many requests are held back or delayed."""
        return len(self._tasks)

    async def _connect(self) -> Wire:
        return Wire(*await asyncio.open_connection(*self.upstream), h11.CLIENT)

    async def _unless_gone(self, client: Wire, handling: Coroutine[Any, Any, Whole]) -> Whole:
        """Stops asking for messages for somebody who went away: they would be lost for a while."""
        asking = asyncio.ensure_future(handling)
        leaving = asyncio.ensure_future(client.peer_gone())
        await asyncio.wait({asking, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not asking.done():
            asking.cancel()
            await asyncio.wait({asking})
            raise PeerGone("the shop closed the connection before it was answered")
        leaving.cancel()
        await asyncio.wait({leaving})
        return asking.result()

    async def _handle(self, request: Whole, upstream: Wire) -> Whole:
        call = aws_calls.read(request.header(b"x-amz-target"), request.body, self._receipts)
        if call.operation is Operation.RECEIVE:
            call = aws_calls.with_visibility(call, self.visibility_timeout_s)
            return self._hand_over(call, await _ask(upstream, _with_body(request, call.body)))
        taken = self.rules.take(call.operation, call.messages) if call.operation else None
        if taken is not None:
            return await self._spoil(request, call, *taken, upstream)
        said = await _ask(upstream, request)
        if _is_done(said):
            self._let_go_on(call)
        return said

    async def _spoil(
        self, request: Whole, call: Call, rule: Rule, hit: list[Message], upstream: Wire
    ) -> Whole:
        """What the shop is told of a request that a rule is about.

        Raises Cut if it is told nothing. A fault is noted when it has happened: one that comes
        after the deed has not if upstream refused the deed.
        """
        fault = rule.fault
        of_entries = call.operation is Operation.PUBLISH and fault in OF_ENTRIES
        spoilt = hit if of_entries else call.messages
        if fault in AFTERWARDS:
            said = await _ask(upstream, request)
            if not _is_done(said):
                return said
            self._let_go_on(call)
            await self._afterwards(rule, request)
            self._note(rule, call, spoilt)
            return _or_cut(said, fault)
        if fault is Fault.KILL_BEFORE:
            _kill(rule)
        self._note(rule, call, spoilt)
        if fault is Fault.KILL_BEFORE:
            raise Cut
        if fault is Fault.REFUSE:
            return answer(503, "application/x-amz-json-1.0", REFUSAL)
        if fault is Fault.GARBLE:
            body = aws_calls.garbled(call, hit)
            return await _ask(upstream, _with_body(request, body))
        if of_entries:
            return await self._leave_out(request, call, hit, upstream, fault)
        if fault is not Fault.DROP:
            self._later(request, call, rule)
        return answer(200, *aws_calls.done(call))

    async def _leave_out(
        self, request: Whole, call: Call, hit: list[Message], upstream: Wire, fault: Fault
    ) -> Whole:
        """The others of the batch are told as ever. What is dropped is said to be told, too; what
        is refused is not, and as a whole if it is no batch.
        """
        refused = [] if fault is Fault.DROP else hit
        if refused and call.name != "PublishBatch":
            return answer(503, "application/x-amz-json-1.0", REFUSAL)
        if len(hit) < len(call.messages):
            body = aws_calls.without(call, hit)
            said = await _ask(upstream, _with_body(request, body))
            if not _is_done(said):
                return said
            self._let_go_on(call)
        return answer(200, *aws_calls.done(call, refused))

    async def _afterwards(self, rule: Rule, request: Whole) -> None:
        """Raises Cut if it cannot be done, so that it is not noted."""
        if rule.fault is Fault.DUPLICATE and not _is_done(await self._ask_alone(request)):
            raise Cut
        if rule.fault is Fault.KILL_AFTER:
            _kill(rule)

    def _hand_over(self, call: Call, said: Whole) -> Whole:
        """The answer to a receive, as the service gets to see it."""
        if not _is_done(said):
            return said
        found = aws_calls.handed_over(call.place, said.body)
        for message, _ in found:
            self._receipts[message.key] = message
        while len(self._receipts) > RECEIPTS_MAX:
            self._receipts.popitem(last=False)
        taken = self.rules.take(Operation.RECEIVE, [message for message, _ in found])
        return said if taken is None else self._spoil_hand_over(call, said, *taken)

    def _spoil_hand_over(self, call: Call, said: Whole, rule: Rule, hit: list[Message]) -> Whole:
        if rule.fault in KILLS:
            _kill(rule)
        whole = rule.fault not in {Fault.DROP, Fault.DUPLICATE}
        handed = [message for message, _ in aws_calls.handed_over(call.place, said.body)]
        self._note(rule, call, handed if whole else hit)
        if rule.fault is Fault.REFUSE:
            return answer(503, "application/x-amz-json-1.0", REFUSAL)
        if rule.fault in {Fault.LOSE_ANSWER, *KILLS}:
            raise Cut
        body = aws_calls.handed_over_otherwise(said.body, rule.fault, {m.key for m in hit})
        return _with_body(said, body)

    def _later(self, request: Whole, call: Call, rule: Rule) -> None:
        held = Held(request, call, rule.until)
        self._held.append(held)
        wait_s = HELD_MAX_S if rule.fault is Fault.HOLD else rule.delay_s
        task = asyncio.create_task(self._go_on(held, wait_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _go_on(self, held: Held, wait_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(held.go_on.wait(), wait_s)
        give_up_at = time.monotonic() + RELEASED_WITHIN_S
        while not (is_done := await self._is_released(held)) and time.monotonic() < give_up_at:
            await asyncio.sleep(ASK_AGAIN_S)
        self._held.remove(held)
        what = journal.RELEASED if is_done else journal.LOST
        self.journal.write(what, Operation.PUBLISH, held.call.place, held.call.messages)

    async def _is_released(self, held: Held) -> bool:
        """Not while the queues are away: their caller was told that they have it."""
        try:
            return _is_done(await self._ask_alone(held.request))
        except OSError:
            return False

    def _let_go_on(self, call: Call) -> None:
        told = {message.event_type for message in call.messages}
        for held in self._held:
            if held.until in told and held.call is not call:
                held.go_on.set()

    async def _ask_alone(self, request: Whole) -> Whole:
        upstream = await self._connect()
        try:
            return await _ask(upstream, request)
        finally:
            upstream.abort()

    def _note(self, rule: Rule, call: Call, hit: list[Message]) -> None:
        self.journal.write(rule.fault, str(call.operation), call.place, hit, rule.label)


async def _ask(upstream: Wire, request: Whole) -> Whole:
    """Raises PeerGone if there is no answer."""
    await upstream.send(request)
    said = await upstream.receive()
    if said is None:
        raise PeerGone("no answer from upstream")
    return _with_body(said, said.body)


def _with_body(whole: Whole, body: bytes) -> Whole:
    headers = with_length(list(whole.head.headers), body)
    if isinstance(whole.head, h11.Request):
        head = h11.Request(method=whole.head.method, target=whole.head.target, headers=headers)
        return Whole(head, body)
    return Whole(h11.Response(status_code=whole.head.status_code, headers=headers), body)


def _is_done(said: Whole) -> bool:
    """Whether upstream says that it did what it was asked for."""
    return isinstance(said.head, h11.Response) and said.head.status_code == OK


def _or_cut(said: Whole, fault: Fault) -> Whole:
    """The answer, for who is still there and may hear it. Raises Cut."""
    if fault in {Fault.LOSE_ANSWER, Fault.KILL_AFTER}:
        raise Cut
    return said


def _kill(rule: Rule) -> None:
    """Raises Cut if that one is gone: then it has not sent what is being handled here."""
    process = control.same_process({"pid": rule.pid, "create_time": rule.create_time})
    if process is None:
        raise Cut
    try:
        process.kill()
    except psutil.NoSuchProcess:
        raise Cut from None
