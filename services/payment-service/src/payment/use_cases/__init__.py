"""What the payment service does: one function per use case, in the caller's transaction.

None commits. The two steps around a call to the provider are separate transactions on purpose.
"""
