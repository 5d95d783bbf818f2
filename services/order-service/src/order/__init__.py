"""Orders, their history and their deadlines."""
