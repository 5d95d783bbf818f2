"""Payments, the operations asked of the provider, and the ledger."""
