"""Provide the infrastructure, drive the shop, read its traces and check its books.

Imports no service.
"""
