"""Floor 3: what people do with embeddings, as pure functions; embedder, store and index are handed in."""
