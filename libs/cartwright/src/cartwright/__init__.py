"""The cartwright command: start the shop, simulate shoppers, look at what happened."""
