"""Tokens and keys as somebody outside the shop has them. Verifies none."""
