"""A mail server outside the shop that keeps every mail to be looked at. Forwards nothing."""
