"""Stock, reservations and movements in PostgreSQL. Knows SQL and `domain`; decides nothing.

All lines of an order are changed, and written into the book of movements, by one statement.
"""

from inventory.store.book import audit, list_movements
from inventory.store.locks import (
    add_unknown,
    lock_orders,
    lock_reservation,
    lock_stock,
    lock_stock_of_orders,
)
from inventory.store.reservations import (
    add_reservation,
    due_for_question,
    reserved_lines,
    set_state,
    view_reservation,
)
from inventory.store.returns import add_return, order_of_return, returned_lines
from inventory.store.stock import (
    StockMoved,
    adjust,
    commit,
    hold,
    levels,
    list_stock,
    receive,
    release,
    restock,
)

__all__ = [
    "StockMoved",
    "add_reservation",
    "add_return",
    "add_unknown",
    "adjust",
    "audit",
    "commit",
    "due_for_question",
    "hold",
    "levels",
    "list_movements",
    "list_stock",
    "lock_orders",
    "lock_reservation",
    "lock_stock",
    "lock_stock_of_orders",
    "order_of_return",
    "receive",
    "release",
    "reserved_lines",
    "restock",
    "returned_lines",
    "set_state",
    "view_reservation",
]
