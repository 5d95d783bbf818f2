"""One suite over everything that stands in for AWS, PostgreSQL, Redis and Jaeger. Not of the shop.

What each test claims has to hold on every target of its subject, or `register` says why not.
"""
