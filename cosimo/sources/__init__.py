"""Floor 2: things → Documents."""
