"""The flow of one checkout, frozen when it is proven whole, and what may be said of it.

Judges no books: that is `audit`.
"""
