"""Floor 1: plain data and rules. Imports nothing of ours; the rooms above build on it."""
