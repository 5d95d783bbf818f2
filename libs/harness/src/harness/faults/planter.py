"""Plants faults in a running shop, and tells which of them really happened.

A fault that was ordered and never met anything proves nothing: ask `assert_happened`.
"""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import psycopg2
import redis
from psycopg2.extensions import connection as Server  # noqa: N812  It is a class.

from harness.eventually import eventually
from harness.faults import refused_commits
from harness.faults.http_rules import HttpFault
from harness.faults.journal import LOST
from harness.faults.rules import Fault, Operation
from harness.process import control
from harness.process.endpoints import Endpoints

ASK_WITHIN_S = 5.0
# A fault waits for the message or the connection that it is for, and these for the shop.
HAPPENS_WITHIN_S = 30.0
# Of the services' own roles; a superuser's connections are the harness's, and the server's.
CUT_CONNECTIONS = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
 WHERE usename LIKE '%%\\_service' AND datname = current_database()
"""


def lost_in(entries: Iterable[Mapping[str, Any]]) -> set[str]:
    """The ids of the events that the post lost, or garbled, on our order."""
    return {
        message["event_id"]
        for entry in entries
        if entry["operation"] == Operation.PUBLISH
        and entry["what"] in {Fault.DROP, Fault.GARBLE, LOST}
        for message in entry["messages"]
    }


class FaultDidNotHappen(AssertionError):
    """Inconclusive: what was to be shown under a fault was shown without it."""


@dataclass
class Faults:
    """Of one shop, started with `faults=True`. Use it with `with`: it leaves no fault behind, and
    ends those of one that was killed.

    Raises httpx's errors when the desk does not answer, or refuses an order.
    """

    endpoints: Endpoints
    _http: httpx.Client = field(init=False)
    _mark: int = 0
    _paused: list[str] = field(default_factory=list)
    _has_refused: bool = False

    def __post_init__(self) -> None:
        self._http = httpx.Client(base_url=self.endpoints.faults_url, timeout=ASK_WITHIN_S)

    def __enter__(self) -> Self:
        self.mend()
        control.thaw_all(self.home)
        self._take_all_commits()
        entries = self._journal(0)["entries"]
        self._mark = entries[-1]["number"] if entries else 0
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.calm()
        finally:
            self._http.close()

    def calm(self) -> None:
        """End every fault, and wait until every service answers."""
        self.mend()
        for name in list(self._paused):
            with contextlib.suppress(control.ProcessGone):  # It was killed as it stood there.
                self.go_on(name)
        self._until_all_answer()
        if self._has_refused:
            self._take_all_commits()

    # Messages.

    def spoil(self, fault: Fault, event_type: str = ".*", **more: Any) -> None:
        """Order *fault* for messages of *event_type*. more: see `harness.faults.rules.Rule`."""
        self._post("/rules", {"fault": fault, "event_type": event_type, **more})

    def kill_at(
        self,
        name: str,
        operation: Operation,
        event_type: str,
        *,
        afterwards: bool = False,
        label: str = "",
    ) -> None:
        """The process *name* dies by SIGKILL at its next *operation* on such a message."""
        fault = Fault.KILL_AFTER if afterwards else Fault.KILL_BEFORE
        place = f"{name.removesuffix('-worker')}-inbox"
        process = control.find(self.home, name)
        self.spoil(
            fault,
            event_type,
            operation=operation,
            pid=process.pid,
            create_time=process.create_time(),
            place="" if operation is Operation.PUBLISH else place,
            label=label,
        )

    # Requests of HTTP.

    def spoil_http(self, fault: HttpFault, service: str, request: str, **more: Any) -> None:
        """Order *fault* for requests to *service*, whoever makes them.

        request: a method, and a regular expression for the path, e.g. ``GET /orders/.*``.
        more: see `harness.faults.http_rules.HttpRule`.
        """
        method, _, path = request.partition(" ")
        rule = {"fault": fault, "place": service, "method": method, "path": path}
        self._post("/http-rules", rule | more)

    # Lines.

    def poison_line(
        self, place: str, kind: str, stream: str = "downstream", *, name: str = "", **how: int
    ) -> None:
        """place: see `places.PLACES`. kind, stream, how: Toxiproxy's type, stream, attributes.

        name: to take it away again by, and in the journal; the kind's, if empty.
        """
        toxic = {"name": name or kind, "type": kind, "stream": stream, "attributes": how}
        self._post(f"/proxies/{place}/toxics", toxic)

    def heal_line(self, place: str, name: str) -> None:
        """Take the toxic called *name* away."""
        self._http.delete(f"/proxies/{place}/toxics/{name}").raise_for_status()

    def cut_line(self, place: str) -> bool:
        """From now on *place* refuses connections, and those there were are closed.

        False if somebody else has cut it already.
        """
        return bool(self._post(f"/proxies/{place}", {"enabled": False})["was_enabled"])

    def join_line(self, place: str) -> int:
        """How many connections were closed because it was cut; 0 if there was none, and none came.

        Whom the kernel refused after the first one is not counted.
        """
        return int(self._post(f"/proxies/{place}", {"enabled": True})["cut"])

    def mend(self) -> None:
        """No fault waits any more, and every line is sound."""
        self._post("/reset", None)

    # Processes and the database.

    def kill(self, name: str) -> None:
        """End the process *name*, e.g. ``order-worker``, by SIGKILL; its supervisor goes on."""
        control.kill(self.home, name)

    def pause(self, name: str) -> None:
        self._paused.append(name)  # First: what cannot be frozen whole has to go on all the same.
        control.freeze(self.home, name)

    def go_on(self, name: str) -> None:
        """Raises `ProcessGone` if it was killed meanwhile."""
        self._paused.remove(name)
        control.thaw(self.home, name)

    def pass_deadline(self, order_id: str) -> None:
        """The deadline of a pending order is now; nobody waits a quarter of an hour for it."""
        self._execute(
            'UPDATE "order".orders SET deadline_at = now(), next_nudge_at = now() WHERE id = %s',
            order_id,
        )

    def cut_database(self) -> int:
        """End every connection of the services to the database; how many there were."""
        return self._execute(CUT_CONNECTIONS)

    def refuse_commits(self, table: str, times: int, *, name: str) -> None:
        """See `refused_commits.begin`; `take_commits` ends it."""
        self._has_refused = True
        with closing(self._server()) as server:
            refused_commits.begin(server, name, table, times)

    def take_commits(self, table: str, times: int, *, name: str) -> int:
        """Refuse no more of them; how many were refused."""
        with closing(self._server()) as server:
            return refused_commits.end(server, name, table, times)

    def _take_all_commits(self) -> None:
        with closing(self._server()) as server:
            refused_commits.end_all(server)

    def empty_cache(self) -> int:
        """Let the cache forget all it knows; how many keys that were."""
        with closing(redis.Redis.from_url(self.endpoints.redis_url)) as cache:
            known = int(cache.dbsize())
            cache.flushall()
        return known

    # What really happened.

    def journal(self, after: int = 0) -> Sequence[Mapping[str, Any]]:
        """All entries since this was entered and after the one numbered *after*, oldest first."""
        entries: list[Mapping[str, Any]] = self._journal(max(after, self._mark))["entries"]
        return entries

    def happened(self, what: str, place: str = "") -> Sequence[Mapping[str, Any]]:
        """The journal's entries of *what* since this was entered, oldest first."""
        return [e for e in self.journal() if e["what"] == what and place in {"", e["place"]}]

    def assert_happened(self, what: str, times: int = 1, place: str = "") -> None:
        """Wait for it; faults wait for their messages. Raises FaultDidNotHappen."""
        try:
            eventually(lambda: len(self.happened(what, place)) >= times, HAPPENS_WITHIN_S, what)
        except AssertionError:
            entries = self.journal()
            did = sorted({f"{e['what']} {e['operation']} {e['place']}" for e in entries})
            raise FaultDidNotHappen(
                f"inconclusive: {what} {place} did not happen {times} times; what did: {did}"
            ) from None

    def held(self) -> int:
        """How many messages are held back or delayed at this moment."""
        return int(self._journal(self._mark)["held"])

    def _until_all_answer(self) -> None:
        """A pool finds out about dead connections by using one: that costs one refused request."""
        for name, url in self.endpoints.services.items():
            eventually(partial(self._is_ready, url), HAPPENS_WITHIN_S, f"{name} is ready")

    def _is_ready(self, url: str) -> bool:
        try:
            return self._http.get(f"{url}/readyz").is_success
        except httpx.TransportError:
            return False  # It is being started again.

    def lost_event_ids(self) -> set[str]:
        """Of all events that were lost since the shop was started."""
        return lost_in(self._journal(0)["entries"])

    def _execute(self, statement: str, *values: str) -> int:
        """How many rows it was about."""
        with closing(self._server()) as server, server, server.cursor() as cursor:
            cursor.execute(statement, values)
            return int(cursor.rowcount)

    def _server(self) -> Server:
        return psycopg2.connect(self.endpoints.postgres_dsn)

    @property
    def home(self) -> Path:
        return Path(self.endpoints.home)

    def _journal(self, after: int) -> dict[str, Any]:
        answer = self._http.get("/journal", params={"after": after}).raise_for_status()
        journal: dict[str, Any] = answer.json()
        return journal

    def _post(self, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        answer = self._http.post(path, json=body)
        if answer.is_error:
            raise httpx.HTTPStatusError(answer.text, request=answer.request, response=answer)
        said: dict[str, Any] = answer.json()
        return said
