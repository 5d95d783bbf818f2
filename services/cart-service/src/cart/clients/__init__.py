"""What the cart asks of others: prices and stock over HTTP, copies of carts in Redis."""

from cart.clients.cart_cache import CartCache
from cart.clients.neighbours import Catalog, Inventory, StockUnknown
from cart.clients.pricing import Pricing

__all__ = ["CartCache", "Catalog", "Inventory", "Pricing", "StockUnknown"]
