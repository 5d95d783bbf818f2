"""What the auth service does: one function per use case, in the caller's transaction."""
