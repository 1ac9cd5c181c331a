"""The rooms behind `score` and `classify`: learning, testing on held-out examples, showing."""
