"""People at the shop's doors, shoppers and staff: what they do by HTTP, and what they saw.

Looks into no table, queue or trace.
"""
