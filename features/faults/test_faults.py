"""Every scenario of this folder, one after the other: each spoils the shop for all others.

Two shops, though, if pytest has processes for both: what dies and comes again takes its time.
"""

from pytest_bdd import scenarios

scenarios(".")
