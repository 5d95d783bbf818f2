"""The provider's book in SQLite, and what is done in one transaction of it. Knows no HTTP."""
