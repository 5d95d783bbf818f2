"""The outside world of the shop: its shoppers, its payment provider, its mail server, its trace store."""
