"""What the catalog asks of others: copies of products, of Redis."""

from catalog.clients.product_cache import Load, ProductCache

__all__ = ["Load", "ProductCache"]
