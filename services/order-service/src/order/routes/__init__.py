"""HTTP in, HTTP out: one blueprint for each thing that clients speak of."""

from order.routes.orders import orders
from order.routes.returns import returns

__all__ = ["orders", "returns"]
