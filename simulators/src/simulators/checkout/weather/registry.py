"""Every fault there is: its name, what it does, whom it may be of, and how it is done.

Names of faults of lines are Toxiproxy's, those of messages `harness.faults.rules`'; those of
HTTP are in `edges`, those of PostgreSQL and Redis in `stores`.
"""

from collections.abc import Mapping
from contextlib import suppress
from functools import partial

from harness.faults import letters
from harness.faults.planter import Faults
from harness.faults.rules import Fault, Operation
from harness.process import control

from simulators.checkout.weather.edges import of_edges
from simulators.checkout.weather.kinds import (
    BROKEN_S,
    TRACE_STORE,
    Ending,
    Kind,
    MetNothing,
    Seam,
    Target,
    places,
)
from simulators.checkout.weather.stores import of_stores

EVENTS = (
    "order.placed",
    "stock.reserved",
    "payment.authorized",
    "order.confirmed",
    "stock.committed",
    "payment.captured",
    "order.cancelled",
)
# Where nothing has to be undone nobody waits for an answer to it, so it is told once; what loses it
# loses the customer's mail. A file may plan that, a forecast does not.
TOLD_ONCE = "order.cancelled"
# Each comes after the other one, of whichever order.
OVERTAKEN = (
    ("order.placed", "stock.reserved"),
    ("stock.reserved", "payment.authorized"),
    ("payment.authorized", "order.confirmed"),
    ("order.confirmed", "payment.captured"),
)
SERVICES = ("auth", "cart", "catalog", "inventory", "order", "payment", "notification")
WORKERS = tuple(f"{service}-worker" for service in SERVICES)
WEBS = tuple(f"{service}-web" for service in SERVICES)
# Who does what in a checkout, and so may die at it.
TELLS = (
    ("order-worker", "order.placed"),
    ("inventory-worker", "stock.reserved"),
    ("payment-worker", "payment.authorized"),
    ("order-worker", "order.confirmed"),
    ("payment-worker", "payment.captured"),
    ("inventory-worker", "stock.committed"),
)
HEARS = (
    ("inventory-worker", "order.placed"),
    ("payment-worker", "stock.reserved"),
    ("order-worker", "payment.authorized"),
    ("inventory-worker", "order.confirmed"),
    ("payment-worker", "order.confirmed"),
    ("notification-worker", "order.confirmed"),
    ("cart-worker", "order.confirmed"),
    ("order-worker", "payment.captured"),
)
INBOXES = ("order-inbox", "inventory-inbox", "payment-inbox", "notification-inbox", "cart-inbox")
# Longer than a message stays hidden where faults are planted (3 s), so that it comes again.
FROZEN_S = (4.0, 6.0)
SLOW_MS = 800


def _spoil(
    fault: Fault,
    operation: Operation,
    more: Mapping[str, float],
    faults: Faults,
    target: Target,
    label: str,
) -> None:
    faults.spoil(fault, target.event, operation=operation, label=label, **more)


def _hold(faults: Faults, target: Target, label: str) -> None:
    faults.spoil(Fault.HOLD, target.event, until=target.until, label=label)


def _kill_at(
    operation: Operation, fault: Fault, faults: Faults, target: Target, label: str
) -> None:
    afterwards = fault is Fault.KILL_AFTER
    faults.kill_at(target.process, operation, target.event, afterwards=afterwards, label=label)


def _poison(faults: Faults, target: Target, _: str) -> None:
    letters.put_nonsense(faults.endpoints, target.queue)


def _kill(faults: Faults, target: Target, _: str) -> None:
    faults.kill(target.process)


def _freeze(faults: Faults, target: Target, _: str) -> Ending:
    faults.pause(target.process)

    def end() -> None:
        with suppress(control.ProcessGone):  # It stood still, and was killed as it did.
            faults.go_on(target.process)

    return end


def _restart(faults: Faults, target: Target, _: str) -> None:
    control.restart(faults.home, target.process)


def _slow(faults: Faults, target: Target, label: str) -> Ending:
    faults.poison_line(target.place, "latency", name=label, latency=SLOW_MS)
    return partial(faults.heal_line, target.place, label)


def _toxic(toxic: str, stream: str, faults: Faults, target: Target, label: str) -> Ending:
    faults.poison_line(target.place, toxic, stream, name=label)
    return partial(faults.heal_line, target.place, label)


def _down(faults: Faults, target: Target, _: str) -> Ending:
    if not faults.cut_line(target.place):  # Who did that ends it, too.
        raise MetNothing("it was down already")

    def end() -> None:
        if not faults.join_line(target.place):
            raise MetNothing("nobody was connected, and nobody came")

    return end


def _of_messages() -> list[Kind]:
    every = [Target(event=event) for event in EVENTS]
    every_again = [target for target in every if target.event != TOLD_ONCE]
    publish, receive, delete = Operation.PUBLISH, Operation.RECEIVE, Operation.DELETE
    told: list[tuple[Operation, Fault, str, Mapping[str, float]]] = [
        (publish, Fault.DROP, "told as published, and gone", {}),
        (publish, Fault.DUPLICATE, "published twice", {}),
        (publish, Fault.DELAY, "published two seconds late", {"delay_s": 2.0}),
        (publish, Fault.REFUSE, "answered 503 three times, not published", {"times": 3}),
        (publish, Fault.REFUSE_ENTRY, "answered 200, refused in its batch, not published", {}),
        (publish, Fault.LOSE_ANSWER, "published, and the answer is lost", {}),
        (publish, Fault.GARBLE, "published with half of its text", {}),
        (receive, Fault.DROP, "received by nobody, comes again", {}),
        (receive, Fault.DUPLICATE, "handed over twice at once", {}),
        (receive, Fault.REFUSE, "the receive is answered 503", {}),
        (receive, Fault.LOSE_ANSWER, "handed over, and the answer is lost", {}),
        (delete, Fault.DROP, "told as deleted, comes again", {}),
        (delete, Fault.REFUSE, "the deletion is answered 503", {}),
        (delete, Fault.LOSE_ANSWER, "deleted, and the answer is lost", {}),
    ]
    return [
        Kind(
            f"{operation}-{fault}".replace("_", "-"),
            Seam.MESSAGES,
            says,
            partial(_spoil, fault, operation, more),
            every if (operation, fault) != (publish, Fault.DROP) else every_again,
            is_in_journal=True,
        )
        for operation, fault, says, more in told
    ]


def _of_death() -> list[Kind]:
    told = [
        ("kill-before-publish", Operation.PUBLISH, Fault.KILL_BEFORE, TELLS, "is about to publish"),
        (
            "kill-after-publish",
            Operation.PUBLISH,
            Fault.KILL_AFTER,
            TELLS,
            "has just published",
        ),
        ("kill-at-receive", Operation.RECEIVE, Fault.KILL_BEFORE, HEARS, "is handed a message"),
        (
            "kill-before-delete",
            Operation.DELETE,
            Fault.KILL_BEFORE,
            HEARS,
            "is done with one",
        ),
        ("kill-after-delete", Operation.DELETE, Fault.KILL_AFTER, HEARS, "has deleted one"),
    ]
    return [
        Kind(
            name,
            Seam.PROCESSES,
            f"SIGKILL for who {says}",
            partial(_kill_at, operation, fault),
            [Target(process=process, event=event) for process, event in pairs],
            is_in_journal=True,
        )
        for name, operation, fault, pairs, says in told
    ]


def _processes(*names: str) -> list[Target]:
    return [Target(process=name) for name in names]


# Never killed: the emulator, which saves once a second, as SQS loses nothing that it has taken; it
# stands still, or ends in good order. And the trace store: what it does not get nobody can judge.
KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        *_of_messages(),
        Kind(
            "publish-hold",
            Seam.MESSAGES,
            "published after one that came later",
            _hold,
            [Target(event=event, until=until) for event, until in OVERTAKEN],
            is_in_journal=True,
        ),
        Kind(
            "poison",
            Seam.MESSAGES,
            "a message that is no event",
            _poison,
            [Target(queue=queue) for queue in INBOXES],
        ),
        *_of_death(),
        Kind(
            "kill",
            Seam.PROCESSES,
            "SIGKILL, whatever it is doing",
            _kill,
            _processes(*WEBS, *WORKERS, "redis", "mailbox", "payment-provider"),
        ),
        Kind(
            "freeze",
            Seam.PROCESSES,
            "SIGSTOP, for longer than a message stays hidden",
            _freeze,
            _processes(*WEBS, *WORKERS, "emulator"),
            lasts_s=FROZEN_S,
        ),
        Kind(
            "restart",
            Seam.PROCESSES,
            "stopped in good order, and started",
            _restart,
            _processes(*WEBS, *WORKERS, "postgres", "emulator"),
        ),
        Kind(
            "line-latency",
            Seam.LINES,
            f"each answer {SLOW_MS} ms late",
            _slow,
            places("redis", "payment-provider", TRACE_STORE),
            lasts_s=BROKEN_S,
            is_in_journal=True,
        ),
        Kind(
            "line-down",
            Seam.LINES,
            "connections refused, and those there were closed",
            _down,
            places("redis", "payment-provider", TRACE_STORE),
            lasts_s=BROKEN_S,
        ),
        Kind(
            "line-limit-data",
            Seam.LINES,
            "heard and done, and no answer comes back",
            partial(_toxic, "limit_data", "downstream"),
            places("payment-provider"),
            lasts_s=BROKEN_S,
            is_in_journal=True,
        ),
        Kind(
            "line-reset-peer",
            Seam.LINES,
            "RST as soon as something is said",
            partial(_toxic, "reset_peer", "upstream"),
            places("redis", "payment-provider", TRACE_STORE),
            lasts_s=BROKEN_S,
            is_in_journal=True,
        ),
        *of_edges(),
        *of_stores(),
    )
}
