"""Faults between the shop and what it stands on: planted from outside, told by a journal.

The services hold no switch for any of this: they are given other addresses, and know nothing of it.
"""
