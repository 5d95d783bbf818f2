"""Ways to provide what the shop stands on, behind one interface. Knows no service's code."""
