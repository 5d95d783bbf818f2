"""A card payment provider outside the shop, with its own book. Shares no code with the shop."""
