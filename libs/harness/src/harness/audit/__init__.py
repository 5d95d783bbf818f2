"""The books of a run at rest, read once, and the checkers that judge them. Changes nothing."""
