"""What the catalog does: one function per use case, in the caller's transaction."""
