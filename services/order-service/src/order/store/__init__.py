"""Orders and returns in PostgreSQL: one module for the tables of each."""

from order.store import orders, returns

__all__ = ["orders", "returns"]
