"""A worker process: a few loops, each around a function that does one batch and counts it."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue

import structlog

from common import aws, consumer, drain, logs, metrics, relay, retention, tracing
from common.consumer import Handler, Prepare, Queue
from common.db import Database
from common.events import RELAY
from common.settings import ServiceSettings

# Adaptive polling: a loop that finds work looks again at once, then ever more rarely.
POLL_S_MIN = 0.05
POLL_S_MAX = 0.5
# A dependency that is down is asked at most this often.
FAILURE_PAUSE_S_MAX = 5.0
# Longer than a handler may take (10 s), shorter than ECS's stopTimeout (40 s).
STOP_WITHIN_S = 25.0
# A round that takes longer hangs: two receives of 25 s and ten handlers of 10 s do not.
STUCK_AFTER_S = 300.0
WATCH_EVERY_S = 1.0
# Names a file whose age tells whoever looks in from outside that a worker stands still.
HEARTBEAT_VARIABLE = "HEARTBEAT_FILE"
# Set while somebody stands in a loop with a debugger: it does not hang, it is looked at.
DEBUGGED_VARIABLE = "DEBUGGED"

STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})

log = structlog.get_logger()

RunOnce = Callable[[], int]


@dataclass(slots=True)
class Loop:
    """Calls *run_once* until the process stops; pauses when there was nothing to do.

    run_once: does one batch, returns how much it did. What it raises is logged and tried again.
    polls: whether an idle loop must wait by itself; a long poll waits inside *run_once*.
    every_s: for work that comes with time, or by `wake`: how long it waits when there was none,
        instead of adaptive polling.
    batch_size: a round that did less found all there was, so that none follows at once.
    wake: ends the pause; set by transactions of this process that made work for it
        (`common.db.wake`). Work of time, or of another process, is found after the pause.
    recover: called after a failed round until it raises nothing; only then comes the next round.
    stuck_after_s: how long no round ever takes.
    """

    name: str
    run_once: RunOnce
    polls: bool = True
    every_s: float | None = None
    batch_size: int = 1
    recover: Callable[[], object] = lambda: None
    stuck_after_s: float = STUCK_AFTER_S
    wake: threading.Event = field(default_factory=threading.Event)
    busy_since: float | None = field(default=None, init=False)  # By the monotonic clock.
    rounds: int = field(default=0, init=False)
    empty_rounds: int = field(default=0, init=False)  # That found nothing to do.

    @property
    def is_stuck(self) -> bool:
        began = self.busy_since
        return began is not None and time.monotonic() - began > self.stuck_after_s

    def run(self, stop: threading.Event) -> None:
        pause_s = POLL_S_MIN
        failed = False
        while not stop.is_set():
            self.wake.clear()
            try:
                self.busy_since = time.monotonic()
                if failed:
                    self.recover()
                done = self.run_once()
                failed = False
            except Exception as error:
                self.busy_since, failed = None, True
                log.warning("loop_failed", loop=self.name, exc_info=error)
                stop.wait(pause_s)
                pause_s = min(pause_s * 2, FAILURE_PAUSE_S_MAX)
                continue
            self.busy_since = None
            self.rounds += 1
            self.empty_rounds += not done
            if done or not self.polls:
                pause_s = POLL_S_MIN
            if done >= self.batch_size:
                continue
            if self.every_s is not None:
                self.wake.wait(self.every_s)
            elif self.polls:
                self.wake.wait(pause_s)
                pause_s = min(pause_s * 2, POLL_S_MAX)


def messaging_loops(
    settings: ServiceSettings,
    db: Database,
    handlers: Mapping[str, Handler],
    others: Sequence[Loop] = (),
    prepare: Prepare = consumer.no_preparation,
) -> list[Loop]:
    """The relay (if the service has a topic), the consumer (if it has a queue), the sweeper of
    what is old, and *others*.

    prepare: called with the events of a batch before their handlers, in the same transaction.

    A loop is woken by the transactions of *db* that made work for it, by its name; so an event
    handled is followed at once by what it caused. What a web process of the service has caused
    waits for the next poll, POLL_S_MAX at the longest.
    """
    loops = list(others)
    loops.append(Loop("retention", lambda: retention.run_once(db), every_s=retention.SWEEP_EVERY_S))
    if settings.topic_arn:
        metrics.observe_outbox(db.engine)
        sns, topic_arn = aws.sns(settings), settings.topic_arn
        send = partial(relay.run_once, db, sns, topic_arn)
        loops.append(Loop(RELAY, send, batch_size=relay.BATCH_SIZE))
    if settings.queue_url and settings.dead_letter_queue_url:
        queue = Queue(
            aws.sqs(settings),
            settings.queue_url,
            settings.dead_letter_queue_url,
            settings.receive_wait_s,
        )
        loops.append(
            Loop(
                "consumer",
                lambda: consumer.run_once(queue, handlers, db, prepare),
                polls=False,
                recover=db.ping,
            )
        )
    db.wakers = {loop.name: loop.wake.set for loop in loops}
    return loops


def run(loops: Sequence[Loop]) -> None:
    """Run *loops* in a thread each until SIGTERM or SIGINT; then finish, flush and return.

    A process that lost a loop, or whose loop hangs, ends with exit code 1: whoever started it
    starts it again, and a process that does half its work looks well from outside.
    The signals are waited for, not handled: a handler that logs or sets an event can meet the
    lock that the interrupted thread holds, and hang for ever. `install` has blocked them.
    """
    stop = threading.Event()
    threads = [
        threading.Thread(target=loop.run, args=(stop,), name=loop.name, daemon=True)
        for loop in loops
    ]
    for thread in threads:
        thread.start()
    log.info("worker_started", loops=[loop.name for loop in loops])
    lost = _watch(loops, threads)
    drain.start_draining()
    stop.set()
    for loop in loops:
        loop.wake.set()
    for thread in threads:
        thread.join(STOP_WITHIN_S)
        if thread.is_alive():
            log.error("loop_did_not_stop", loop=thread.name)
    tracing.flush()
    counts = {loop.name: f"{loop.empty_rounds} of {loop.rounds}" for loop in loops}
    log.info("worker_stopped", empty_rounds=counts)
    if lost:
        sys.exit(1)


def _watch(loops: Sequence[Loop], threads: Sequence[threading.Thread]) -> list[str]:
    """Wait for a signal; return at once, with their names, if loops are dead or stuck."""
    heartbeat = os.environ.get(HEARTBEAT_VARIABLE)
    is_debugged = DEBUGGED_VARIABLE in os.environ
    received: SimpleQueue[signal.Signals] = SimpleQueue()
    # A thread of its own: `signal.sigtimedwait`, interrupted by SIGCONT when its time is over,
    # returns a signal that nobody sent (seen in CPython 3.11: a siginfo that was never filled).
    waits = threading.Thread(
        target=lambda: received.put(signal.Signals(signal.sigwait(STOP_SIGNALS))),
        name="signals",
        daemon=True,
    )
    waits.start()
    while True:
        try:
            log.info("worker_stopping", signal=received.get(timeout=WATCH_EVERY_S).name)
        except Empty:
            lost = [
                loop.name
                for loop, thread in zip(loops, threads, strict=True)
                if (loop.is_stuck and not is_debugged) or not thread.is_alive()
            ]
            if lost:
                log.error("loops_lost", loops=lost)
                return lost
            if heartbeat:
                Path(heartbeat).touch()
        else:
            return []


def install() -> None:
    """Signals, logs and traces of a worker process; call first.

    Threads inherit what is blocked, and those that send spans and metrics begin here: a signal
    that one of them lets through ends the process in the middle of its work.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    tracing.install("worker")
    logs.install("worker")
