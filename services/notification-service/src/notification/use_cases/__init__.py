"""What the notification service does: one function per use case, in the caller's transaction."""
