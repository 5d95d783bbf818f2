"""HTTP in, HTTP out. Parses, opens the transaction, calls one use case, renders."""

from catalog.routes.imports import imports
from catalog.routes.listings import listings
from catalog.routes.products import products
from catalog.routes.search import searching

__all__ = ["imports", "listings", "products", "searching"]
