"""Language models: a prompt in, what the model writes out. One file a way to reach them; `core/llm.py` is their contract."""
