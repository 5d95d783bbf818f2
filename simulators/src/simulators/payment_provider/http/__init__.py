"""The provider's faces: the shop's API, the bank's page, the book for people and tests.

Decides nothing about money: each parses, opens one transaction, and shows what came of it.
"""
