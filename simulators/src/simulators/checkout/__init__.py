"""The checkout simulator: replays real baskets, waits until all settled, audits the books."""
