"""Floor 2: models under our names, one file a provider."""
