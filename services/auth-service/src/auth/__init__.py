"""Customers, credentials and tokens."""
