"""What is worth a mail, to whom and in which words' language, and what becomes of it.

No I/O, no clock, no framework.
"""
