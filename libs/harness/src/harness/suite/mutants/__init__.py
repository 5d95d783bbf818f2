"""Planted bugs, each switched on alone: does the suite catch them? See docs/mutants.md.

The services hold no switches: a bug is a replacement of text in a copy of one package, which is
put first on the path of every process of one shop.
"""
