"""Products, prices and categories."""
