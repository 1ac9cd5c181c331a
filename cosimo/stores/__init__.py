"""Floor 2: databases under our names."""
