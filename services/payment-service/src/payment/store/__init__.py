"""The payment service's tables in PostgreSQL. Knows SQL and `domain`; decides nothing."""
