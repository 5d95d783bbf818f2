"""Values and rules of the catalog. Knows no SQL, no HTTP, no clock."""
