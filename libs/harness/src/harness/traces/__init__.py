"""Spans and traces: exported, read from a store or a disk, and what in them caused what.

Judges nothing: what has to be in a trace, `audit` and `proof` know.
"""
