"""What goes wrong while shoppers are in the shop: planned as data, done to it, and written down.

Nothing here knows what a right checkout is, and no service knows of any of this.
"""
