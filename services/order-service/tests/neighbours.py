"""A world of three: one order, its stock and its payment, as their contracts describe them.

Small enough to try every interleaving: any message may come before any other, the shelf may be
empty, the card may be declined, the customer may cancel, the watchdog may ask, messages get lost.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from order import saga
from order.domain import CancelReason, NotCancellable, Order

# Who hears what (infra/topology.yaml); mails and carts answer nothing.
HEARERS = {
    "order.placed": ("stock",),
    "order.confirmed": ("stock", "payment"),
    "order.cancelled": ("stock",),
    "order.cancellation_requested": ("payment",),
    "stock.reserved": ("order", "payment"),
    "order.action_required": (),
    "order.refunded": (),
}

Message = tuple[str, str]  # (hearer, event type)


@dataclass(frozen=True)
class World:
    """stock, payment: their states, "" before they hear of the order. asked: of the provider."""

    order: Order
    stock: str = ""
    payment: str = ""
    void_requested: bool = False
    asked: frozenset[str] = frozenset()
    messages: tuple[Message, ...] = ()
    may_cancel: int = 1
    may_nudge: int = 1
    may_lose: int = 1
    may_expire: int = 1
    may_be_late: int = 0

    @property
    def at_rest(self) -> bool:
        return not self.messages and not self.asked

    def telling(self, *events: str | None) -> "World":
        told = [(hearer, e) for e in events if e for hearer in HEARERS.get(e, ("order",))]
        return replace(self, messages=tuple(sorted([*self.messages, *told])))


def beginnings(order: Order) -> list[World]:
    """Everything at once is too much to try: late money comes where nothing is lost."""
    patient = World(order, may_be_late=1, may_lose=0, may_expire=0)
    return [world.telling("order.placed") for world in (World(order), patient)]


def successors(world: World) -> Iterator[World]:
    """Every world that may come next. Raises IllegalTransition as the order does."""
    for number, (hearer, event) in enumerate(world.messages):
        rest = world.messages[:number] + world.messages[number + 1 :]
        received = replace(world, messages=rest)
        yield from {"order": _order, "stock": _stock, "payment": _payment}[hearer](received, event)
        if world.may_lose:
            yield replace(received, may_lose=world.may_lose - 1)
    for operation in world.asked:
        yield from _provider(replace(world, asked=world.asked - {operation}), operation)
    yield from _impatience(world)


def _impatience(world: World) -> Iterator[World]:
    if world.may_cancel:
        waiting = replace(world, may_cancel=world.may_cancel - 1)
        try:
            yield _step(waiting, saga.ask_to_cancel(world.order, CancelReason.CUSTOMER_CANCELLED))
        except NotCancellable:
            yield waiting
    # The watchdog never gives up; here it may hurry once, and else waits for things to rest.
    if not world.order.settled and (world.may_nudge or world.at_rest):
        waiting = replace(world, may_nudge=max(world.may_nudge - 1, 0))
        for past_deadline in (False, True):
            yield _step(waiting, saga.nudge(world.order, past_deadline=past_deadline))

    # A reservation that is held for long is asked about, never let go.
    if world.may_expire and world.stock == "held":
        yield replace(world, may_expire=0).telling("stock.reservation_expired")

    # What was declined is held, or even taken, after all.
    if world.may_be_late and world.payment == "declined":
        late = replace(world, may_be_late=0, void_requested=True)
        yield replace(late, payment="authorized", asked=world.asked | {"void"})
        yield replace(late, payment="captured", asked=world.asked | {"refund"})


def _step(world: World, step: saga.Step) -> World:
    return replace(world, order=step.order).telling(step.publishes)


def _order(world: World, event: str) -> Iterator[World]:
    yield _step(world, saga.after(world.order, event))


def _stock(world: World, event: str) -> Iterator[World]:
    match event, world.stock:
        case "order.placed", "":
            yield replace(world, stock="held").telling("stock.reserved")
            yield replace(world, stock="rejected").telling("stock.rejected")
        case "order.placed", "held" | "committed":
            yield world.telling("stock.reserved")
        case "order.placed", ("rejected" | "released") as state:
            yield world.telling(f"stock.{state}")
        case "order.confirmed", "held" | "committed":
            yield replace(world, stock="committed").telling("stock.committed")
        case "order.cancelled", "" | "held" | "released":
            yield replace(world, stock="released").telling("stock.released")
        case "order.cancelled", "rejected":
            yield world.telling("stock.released")
        case _:
            raise AssertionError(f"{event} for stock that is {world.stock or 'unknown'}")


def _payment(world: World, event: str) -> Iterator[World]:  # noqa: C901  A table, row by row.
    match event, world.payment:
        case "stock.reserved", "":
            yield replace(world, payment="initiated", asked=world.asked | {"authorize"})
        case "order.confirmed", "authorized" if not world.void_requested:
            yield replace(world, asked=world.asked | {"capture"})
        case "order.cancellation_requested", "":
            yield replace(world, payment="voided").telling("payment.voided")
        case "order.cancellation_requested", "initiated":
            yield replace(world, void_requested=True)
        case "order.cancellation_requested", "authorized" if "capture" not in world.asked:
            yield replace(world, void_requested=True, asked=world.asked | {"void"})
        case "order.cancellation_requested", "action_required":
            asked = world.asked - {"challenge"} | {"void"}
            yield replace(world, void_requested=True, asked=asked)
        case "stock.reserved", "action_required":
            yield world.telling("payment.action_required")
        case "stock.reserved", ("authorized" | "initiated"):
            known = world.payment == "authorized" and not world.void_requested
            yield world.telling("payment.authorized" if known else None)
        case "stock.reserved" | "order.cancellation_requested", ("declined" | "voided") as state:
            yield world.telling(f"payment.{state}")
        case "stock.reserved" | "order.cancellation_requested", "refunded":
            yield world.telling("payment.voided")
        case "stock.reserved" | "order.cancellation_requested", "captured" if world.void_requested:
            yield world
        case "stock.reserved" | "order.confirmed", "captured":
            yield world.telling("payment.captured")
        case _:
            raise AssertionError(f"{event} for a payment that is {world.payment or 'unknown'}")


def _provider(world: World, operation: str) -> Iterator[World]:
    match operation:
        case "authorize" if not world.void_requested:
            challenged = replace(world, payment="action_required")
            asked = replace(challenged, asked=world.asked | {"challenge"})
            yield asked.telling("payment.action_required")
            yield from _decided(world)
        case "authorize" | "challenge":
            yield from _decided(world)
        case "capture":
            yield replace(world, payment="captured").telling("payment.captured")
        case "refund":
            refunded = replace(world, payment="refunded")
            yield refunded.telling("payment.refunded", "payment.voided")
        case "void":
            yield replace(world, payment="voided").telling("payment.voided")


def _decided(world: World) -> Iterator[World]:
    """The card's bank says no, or yes."""
    yield replace(world, payment="declined").telling("payment.declined")
    authorized = replace(world, payment="authorized")
    if world.void_requested:
        yield replace(authorized, asked=world.asked | {"void"})
    else:
        yield authorized.telling("payment.authorized")
