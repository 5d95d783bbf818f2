"""What a payment, a card and a webhook are and may do. Pure: no I/O, no clock, no framework."""
