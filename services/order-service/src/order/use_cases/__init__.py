"""What the order service does: one function per use case. None commits; the edge does."""

from order.use_cases import orders, returns

__all__ = ["orders", "returns"]
