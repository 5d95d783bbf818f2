"""The catalog in PostgreSQL. Knows SQL and `domain`; decides nothing."""
