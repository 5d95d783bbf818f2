"""The baskets of The Complete Journey, loaded or derived. It sends nothing to the shop."""
