"""What watches over the tests themselves: their pages, their flakes, the bugs they have to catch.

No scenario needs it in order to pass.
"""
