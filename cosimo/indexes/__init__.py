"""Floor 2: vectors → nearest row numbers."""
