"""The outside world of the shop.

Its shoppers, its payment provider, its mail server, its trace store.
"""
