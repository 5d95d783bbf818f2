"""What the inventory does: one function per use case, in the caller's transaction.

Every one that changes stock locks first what it will change, in the order of `store.locks`, so
what it reads holds until it has written. Several orders in one transaction: `lock_together` first.
A refusal to an order is an answer, not an exception: its neighbours in the same transaction are
not its business.
"""

from inventory.use_cases.orders import (
    ask_about_expired,
    commit_stock,
    lock_together,
    read_reservation,
    release_stock,
    reserve_stock,
    restock_return,
)
from inventory.use_cases.shelf import (
    adjust_stock,
    audit_stock,
    list_movements,
    list_stock,
    query_stock,
    read_stock,
    receive_stock,
)

__all__ = [
    "adjust_stock",
    "ask_about_expired",
    "audit_stock",
    "commit_stock",
    "list_movements",
    "list_stock",
    "lock_together",
    "query_stock",
    "read_reservation",
    "read_stock",
    "receive_stock",
    "release_stock",
    "reserve_stock",
    "restock_return",
]
