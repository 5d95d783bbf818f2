"""HTTP in, HTTP out: one blueprint for each thing that clients speak of."""

from order.routes.events import events
from order.routes.orders import orders
from order.routes.returns import returns
from order.routes.streams import Streams

__all__ = ["Streams", "events", "orders", "returns"]
