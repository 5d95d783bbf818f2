"""What the services promise, and whether they keep it. Asks none of them."""
