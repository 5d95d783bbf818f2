"""Messages, suppressions and preferences in PostgreSQL. Knows SQL and `domain`; decides nothing."""
